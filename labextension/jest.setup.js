/** APIs of browsers that jsdom does not have. */
const { TextDecoder, TextEncoder } = require('util');

global.TextDecoder ??= TextDecoder;
global.TextEncoder ??= TextEncoder;
global.fetch ??= () => Promise.reject(new TypeError('no network in tests'));
global.Headers ??= class {};
global.Request ??= class {};
global.Response ??= class {};
global.ResizeObserver ??= class {
  observe() {}
  unobserve() {}
  disconnect() {}
};
global.requestIdleCallback ??= call => setTimeout(call, 0);
global.IntersectionObserver ??= global.ResizeObserver;
if (!('DragEvent' in global)) {
  global.DragEvent = class extends MouseEvent {};
}
Element.prototype.scrollIntoView ??= () => {};
window.matchMedia ??= () => ({ matches: false, addEventListener() {}, removeEventListener() {} });
if (!navigator.clipboard) {
  Object.defineProperty(navigator, 'clipboard', { value: { writeText: () => Promise.resolve() } });
}
