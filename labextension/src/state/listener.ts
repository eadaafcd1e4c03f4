import { Client } from '../api/client';
import { IKey, IListener, INewKey } from '../api/types';
import { Observable } from './observable';

/** The second listener and the keys that open it. */
export class Listener {
  readonly state = new Observable<IListener | null>(null);
  readonly keys = new Observable<readonly IKey[]>([]);

  constructor(private _client: Client) {}

  async refresh(): Promise<void> {
    const [state, keys] = await Promise.all([
      this._client.listener(),
      this._client.keys()
    ]);
    this.state.set(state);
    this.keys.set(keys);
  }

  async start(port: number, cors: boolean, requireKey: boolean): Promise<void> {
    const options = { port, cors, require_key: requireKey };
    this.state.set(await this._client.startListener(options));
  }

  async stop(): Promise<void> {
    await this._client.stopListener();
    await this.refresh();
  }

  /** The only time that the key is known. */
  async createKey(name: string, permissions: string[]): Promise<INewKey> {
    const key = await this._client.createKey(name, permissions);
    await this.refresh();
    return key;
  }

  async revokeKey(id: string): Promise<void> {
    await this._client.revokeKey(id);
    await this.refresh();
  }
}
