import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { errorIn, errorOf } from './errors';
import { IServerEvent, chunksOf, serverEvents } from './sse';

/** How something is asked for. */
export interface IAsk {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  body?: unknown;
  signal?: AbortSignal;
}

/** lmnb's routes in this notebook server. */
export class Connection {
  constructor(readonly settings: ServerConnection.ISettings) {}

  /** The address of `path`, for people to copy or for a request. */
  url(path: string): string {
    return URLExt.join(this.settings.baseUrl, 'lmnb', path);
  }

  /** The answer's JSON. Throws ApiError, or a network error. */
  async json<T>(path: string, ask: IAsk = {}): Promise<T> {
    const response = await this.send(path, ask);
    return (await response.json()) as T;
  }

  /** The answer's events, to the end. Throws ApiError, also for an event that is an error. */
  async *events(path: string, ask: IAsk = {}): AsyncGenerator<IServerEvent> {
    const response = await this.send(path, ask);
    for await (const event of serverEvents(chunksOf(response))) {
      const error = errorIn(event.data, 200);
      if (error) {
        throw error;
      }
      yield event;
    }
  }

  private async send(path: string, ask: IAsk): Promise<Response> {
    const init: RequestInit = { method: ask.method ?? 'GET' };
    if (ask.body !== undefined) {
      init.body = JSON.stringify(ask.body);
    }
    if (ask.signal) {
      init.signal = ask.signal;
    }
    const response = await ServerConnection.makeRequest(
      this.url(path),
      init,
      this.settings
    ).catch(error => {
      if (ask.signal?.aborted) {
        throw new DOMException('Stopped.', 'AbortError');
      }
      throw error;
    });
    if (!response.ok) {
      throw await errorOf(response);
    }
    return response;
  }
}
