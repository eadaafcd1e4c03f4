import { ServiceManager } from '@jupyterlab/services';
import { Token } from '@lumino/coreutils';

import { Client } from '../api/client';
import { Connection } from '../api/connection';
import { INotice } from '../api/types';
import { Downloads } from './downloads';
import { Health } from './health';
import { Listener } from './listener';
import { Models } from './models';
import { Notices } from './notices';
import { Observable } from './observable';

/** Notices after which other models are here, or loaded. */
const CHANGES =
  /^(model_load\.(end|error)|model_unload|models\.changed|download\.end)$/;

/** Which model completes code. */
export interface ICompletionChoice {
  /** Empty: none. */
  readonly model: string;
  choose(model: string): Promise<void>;
}

/** The server as this page knows it. Plugins share one. */
export class Lmnb {
  readonly connection: Connection;
  readonly client: Client;
  readonly models: Models;
  readonly downloads: Downloads;
  readonly listener: Listener;
  readonly health: Health;
  /** How a model is chosen to complete code; null where there is no completion. */
  readonly completion = new Observable<ICompletionChoice | null>(null);

  constructor(services: ServiceManager.IManager) {
    this.connection = new Connection(services.serverSettings);
    this.client = new Client(this.connection);
    this.models = new Models(this.client, () => void this.health.refresh());
    this.downloads = new Downloads(this.client);
    this.listener = new Listener(this.client);
    this.health = new Health(this.client, () => this.refresh());
    services.connectionFailure.connect((_, error) => {
      this.health.lost.set(error.message);
      void this.health.refresh();
    });
    const notices = new Notices(
      this.connection,
      notice => this._hear(notice),
      () => this.refresh()
    );
    void notices.follow(services.events.stream);
    this.health.status.changed.connect((_, status) => notices.see(status));
    this.health.lost.changed.connect(() => notices.see(null));
  }

  /** Ask for everything again: at the start, and after the connection was lost. */
  refresh(): void {
    for (const part of [this.models, this.downloads, this.listener]) {
      // A server that does not answer is what `health` shows.
      part.refresh().catch(() => undefined);
    }
  }

  private _hear(notice: INotice): void {
    this.models.hear(notice);
    this.downloads.hear(notice);
    const asked: Promise<void>[] = [];
    if (notice.kind.startsWith('server.')) {
      asked.push(this.listener.refresh());
    }
    if (CHANGES.test(notice.kind)) {
      asked.push(this.models.refresh(), this.health.refresh());
    }
    Promise.all(asked).catch(() => undefined);
  }
}

export const ILmnb = new Token<Lmnb>(
  'lmnb-labextension:ILmnb',
  'The state of the lmnb server: models, downloads, the second listener.'
);
