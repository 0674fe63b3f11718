/**
 * Errors have the message and code of the server, or the reason for a missing response.
 */
import { ServerConnection } from '@jupyterlab/services';

import { Api, LOGGED_OUT, loggedOut, NO_ANSWER, NO_EXTENSION } from '../api';

const SETTINGS = { baseUrl: 'http://host/user/x/' } as ServerConnection.ISettings;

/** The part of a Response that is used. */
function response(
  status: number,
  body: unknown,
  headers: { [name: string]: string } = {}
): Response {
  return {
    ok: status < 400,
    status,
    statusText: 'Said so',
    headers: { get: (name: string) => headers[name] ?? null },
    json: () =>
      typeof body === 'string' ? Promise.reject(new SyntaxError('no JSON')) : Promise.resolve(body)
  } as unknown as Response;
}

describe('Api', () => {
  let request: jest.SpyInstance;
  const api = new Api(SETTINGS);
  const answers = (...args: Parameters<typeof response>) =>
    request.mockResolvedValue(response(...args));

  beforeEach(() => {
    request = jest.spyOn(ServerConnection, 'makeRequest');
  });

  it('sends requests below the base URL, with encoded names', async () => {
    answers(200, { id: '1' });
    await api.restart('a/b ?', { driver: { memory: '4g' } });
    const [url, init] = request.mock.calls[0];
    expect(url).toBe('http://host/user/x/rucat/engines/a%2Fb%20%3F/restart');
    expect(init.method).toBe('POST');
    expect(JSON.parse(init.body)).toEqual({ driver: { memory: '4g' } });
  });

  it('sends no body if there is no content', async () => {
    answers(202, { id: '1' });
    await api.stop('etl');
    expect(request.mock.calls[0][1]).not.toHaveProperty('body');
  });

  it('reads the token of the list with a page of one engine', async () => {
    answers(200, { engines: [{}], token: 't', next_page: 2 });
    expect(await api.token()).toBe('t');
    expect(request.mock.calls[0][0]).toBe('http://host/user/x/rucat/engines?limit=1');
  });

  it('rejects with message, code and details of the server', async () => {
    answers(
      503,
      { message: 'no gateway', code: 'gateway_unavailable', details: { pid: 1 } },
      { 'Retry-After': '2' }
    );
    await expect(api.list()).rejects.toMatchObject({
      message: 'no gateway',
      code: 'gateway_unavailable',
      status: 503,
      details: { pid: 1 },
      retryAfter: 2
    });
  });

  it.each([
    ['a 404 without our form', 404, '<html>', NO_EXTENSION],
    ['Jupyter’s own 404', 404, { message: 'Not Found' }, NO_EXTENSION],
    ['a proxy’s page', 502, '<html>', NO_ANSWER],
    ['a login page', 403, '<html>', NO_ANSWER]
  ])('recognises %s by its code', async (_, status, body, code) => {
    answers(status, body);
    await expect(api.list()).rejects.toMatchObject({ code, status });
  });

  it.each([
    ['Jupyter', 403, { message: 'x', code: 'forbidden', details: { is_logged_in: false } }, {}],
    ['a proxy', 401, '<html>', {}],
    ['a proxy with a page', 403, '<html>', { 'Content-Type': 'text/html' }],
    ['a login page', 200, '<html>', { 'Content-Type': 'text/html; charset=utf-8' }]
  ])('says that the login has expired, as %s means it', async (_, status, body, headers) => {
    const heard = jest.fn();
    loggedOut.connect(heard);
    answers(status, body, headers);
    const message = expect.stringContaining('login has expired: log in again');
    await expect(api.profiles()).rejects.toMatchObject({ code: LOGGED_OUT, message });
    await expect(api.logs('etl', 5)).rejects.toMatchObject({ code: LOGGED_OUT, message });
    expect(heard).toHaveBeenCalledTimes(2);
    loggedOut.disconnect(heard);
  });

  it('repeats a call once that was refused for an old cookie', async () => {
    const details = { is_cookie_renewed: true };
    answers(403, { message: 'old', code: 'forbidden', details });
    request.mockClear();
    await expect(api.stop('etl')).rejects.toMatchObject({ message: 'old' });
    expect(request).toHaveBeenCalledTimes(2);
    request.mockResolvedValueOnce(response(403, { message: 'old', code: 'forbidden', details }));
    answers(202, { id: '1' });
    await expect(api.stop('etl')).resolves.toEqual({ id: '1' });
  });

  it('recognises a network error and an incomplete response', async () => {
    request.mockRejectedValue(new TypeError('Failed to fetch'));
    await expect(api.list()).rejects.toMatchObject({ code: NO_ANSWER, status: 0 });
    answers(200, 'cut');
    await expect(api.list()).rejects.toMatchObject({ code: NO_ANSWER, message: 'no JSON' });
  });
});
