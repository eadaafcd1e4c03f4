import { Connection } from './connection';
import * as types from './types';

const MODELS = 'api/v1/models';

/** One function for each thing that can be asked of the server. */
export class Client {
  constructor(readonly connection: Connection) {}

  // Models on this machine

  async models(): Promise<types.IModel[]> {
    return (await this._get<{ models: types.IModel[] }>(MODELS)).models;
  }

  status(signal?: AbortSignal): Promise<types.IStatus> {
    return this.connection.json('api/v1/status', signal ? { signal } : {});
  }

  /** Loads a model; gives each step from 0 to 1 to `progress`, and resolves to its identifier. */
  async load(
    model: string,
    options: types.LoadOptions,
    progress: (step: number) => void,
    signal?: AbortSignal
  ): Promise<string> {
    const body = { ...options, model, stream: true };
    const ask = { method: 'POST' as const, body, ...(signal && { signal }) };
    for await (const event of this.connection.events(`${MODELS}/load`, ask)) {
      const data = JSON.parse(event.data);
      if (event.name === 'model_load.progress') {
        progress(data.progress);
      } else if (event.name === 'model_load.end') {
        return data.instance_id;
      } else if (event.name === 'message' && data.instance_id) {
        return data.instance_id;
      }
    }
    throw new Error('The server ended the load without saying how it went.');
  }

  /** Answers that it is writing end: whoever presses the button means it. */
  unload(instance: string): Promise<void> {
    const body = { instance_id: instance, cancel_running: true };
    return this._post(`${MODELS}/unload`, body);
  }

  remove(model: string): Promise<{ freed_bytes: number }> {
    return this._post(`${MODELS}/delete`, { model, force: true });
  }

  importFile(path: string): Promise<types.IModel> {
    return this._post(`${MODELS}/import`, { path });
  }

  estimate(
    model: string,
    options: types.LoadOptions,
    signal?: AbortSignal
  ): Promise<types.IEstimate> {
    return this._post(`${MODELS}/estimate`, { ...options, model }, signal);
  }

  settings(model: string): Promise<types.ISettings> {
    return this._get(settingsPath(model));
  }

  saveSettings(
    model: string,
    settings: types.LoadOptions
  ): Promise<types.ISettings> {
    return this.connection.json(settingsPath(model), {
      method: 'PUT',
      body: settings
    });
  }

  forgetSettings(model: string): Promise<void> {
    return this.connection.json(settingsPath(model), { method: 'DELETE' });
  }

  // The Hub and what comes from it

  search(
    words: string,
    sort: types.Sorting,
    cursor: string | null,
    signal?: AbortSignal
  ): Promise<types.ISearchResult> {
    const query = new URLSearchParams({ q: words, sort, limit: '20' });
    if (cursor) {
      query.set('cursor', cursor);
    }
    return this._get(`${MODELS}/search?${query}`, signal);
  }

  async downloads(): Promise<types.IDownload[]> {
    const path = `${MODELS}/download`;
    return (await this._get<{ downloads: types.IDownload[] }>(path)).downloads;
  }

  download(
    model: string,
    quantization: string | null
  ): Promise<types.IDownload> {
    return this._post(`${MODELS}/download`, {
      model,
      ...(quantization && { quantization })
    });
  }

  steerDownload(
    job: string,
    verb: 'pause' | 'resume' | 'cancel'
  ): Promise<types.IDownload> {
    return this._post(`${MODELS}/download/${verb}`, { job_id: job });
  }

  // The second listener, its keys, the log

  listener(): Promise<types.IListener> {
    return this._get('api/v1/server');
  }

  startListener(options: {
    port: number;
    cors: boolean;
    require_key: boolean;
  }): Promise<types.IListener> {
    return this._post('api/v1/server/start', options);
  }

  stopListener(): Promise<types.IListener> {
    return this._post('api/v1/server/stop', {});
  }

  async keys(): Promise<types.IKey[]> {
    return (await this._get<{ keys: types.IKey[] }>('api/v1/keys')).keys;
  }

  createKey(name: string, permissions: string[]): Promise<types.INewKey> {
    return this._post('api/v1/keys', { name, permissions });
  }

  revokeKey(id: string): Promise<void> {
    return this.connection.json(`api/v1/keys/${encodeURIComponent(id)}`, {
      method: 'DELETE'
    });
  }

  // --

  private _get<T>(path: string, signal?: AbortSignal): Promise<T> {
    return this.connection.json(path, signal ? { signal } : {});
  }

  private _post<T>(
    path: string,
    body: unknown,
    signal?: AbortSignal
  ): Promise<T> {
    return this.connection.json(path, {
      method: 'POST',
      body,
      ...(signal && { signal })
    });
  }
}

/** A model's key has slashes of its own, which stay. */
function settingsPath(model: string): string {
  return `${MODELS}/settings/${model.split('/').map(encodeURIComponent).join('/')}`;
}
