/** Tests in jsdom; JupyterLab's packages are ES modules, so they are transformed too (by swc, for speed). */
const swc = {
  module: { type: 'commonjs' },
  jsc: {
    target: 'es2021',
    parser: { syntax: 'typescript', tsx: true },
    transform: { react: { runtime: 'classic' } }
  }
};

module.exports = {
  testEnvironment: 'jsdom',
  cacheDirectory: '<rootDir>/node_modules/.cache/jest',
  testRegex: 'src/.*/?__tests__/.*\\.spec\\.tsx?$',
  setupFiles: ['<rootDir>/jest.setup.js'],
  moduleNameMapper: {
    '\\.(css|less|sass|scss)$': '<rootDir>/jest.file.js',
    '\\.(svg|gif|ttf|eot)$': '<rootDir>/jest.file.js'
  },
  transform: {
    '\\.[cm]?[jt]sx?$': ['@swc/jest', swc]
  },
  transformIgnorePatterns: [
    '/node_modules/(?!(@jupyterlab|@jupyter|@lumino|@codemirror|@marijn|@lezer|@microsoft|@rjsf|lib0|y-protocols|y-websocket|yjs|nanoid|exenv-es6|vscode-ws-jsonrpc)/)'
  ],
  restoreMocks: true
};
