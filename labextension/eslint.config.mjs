import js from '@eslint/js';
import hooks from 'eslint-plugin-react-hooks';
import ts from 'typescript-eslint';

export default ts.config(
  { ignores: ['lib/', 'node_modules/', '.yarn/', '*.js', '*.mjs', 'style/index.js'] },
  js.configs.recommended,
  ts.configs.recommendedTypeChecked,
  {
    files: ['src/**/*.{ts,tsx}'],
    plugins: { 'react-hooks': hooks },
    languageOptions: {
      parserOptions: { project: './tsconfig.test.json', tsconfigRootDir: import.meta.dirname }
    },
    rules: {
      ...hooks.configs.recommended.rules,
      curly: ['error', 'all'],
      eqeqeq: 'error',
      'no-console': 'error',
      'prefer-arrow-callback': 'error',
      '@typescript-eslint/consistent-type-imports': [
        'error',
        { fixStyle: 'separate-type-imports' }
      ],
      '@typescript-eslint/naming-convention': [
        'error',
        { selector: 'interface', format: ['PascalCase'], prefix: ['I'] }
      ],
      '@typescript-eslint/no-namespace': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      // free-form parts of REST are `any` on purpose (tokens.ts: Json)
      '@typescript-eslint/no-base-to-string': 'off',
      // Lumino's signals take method and object separately
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      'no-restricted-properties': [
        'error',
        { property: 'innerHTML', message: 'Show content from outside in text nodes only.' },
        { property: 'outerHTML', message: 'Show content from outside in text nodes only.' },
        {
          property: 'insertAdjacentHTML',
          message: 'Show content from outside in text nodes only.'
        }
      ],
      'no-restricted-syntax': [
        'error',
        {
          selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']",
          message: 'Show content from outside in text nodes only.'
        }
      ]
    }
  },
  {
    files: ['src/**/__tests__/**'],
    rules: { '@typescript-eslint/require-await': 'off' }
  }
);
