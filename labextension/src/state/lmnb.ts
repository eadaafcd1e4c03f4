import { ServiceManager } from '@jupyterlab/services';
import { Token } from '@lumino/coreutils';
import { Signal } from '@lumino/signaling';

import { Client } from '../api/client';
import { Connection } from '../api/connection';
import { INotice } from '../api/types';
import { Downloads } from './downloads';
import { Health } from './health';
import { Listener } from './listener';
import { Models } from './models';
import { follow } from './notices';
import { Observable } from './observable';

/** The server as this page knows it. Plugins share one. */
export class Lmnb {
  readonly connection: Connection;
  readonly client: Client;
  readonly models: Models;
  readonly downloads: Downloads;
  readonly listener: Listener;
  readonly health: Health;
  /** The model that completes code; empty where none does. */
  readonly completionModel = new Observable('');
  /** Set where completion is available. */
  chooseForCompletion: ((model: string) => Promise<void>) | null = null;

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
    void follow(services.events.stream, notice => this._hear(notice));
  }

  /** Something was heard from the server. */
  get heard(): Signal<this, INotice> {
    return this._heard;
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
    const [noun] = notice.kind.split('.');
    this.downloads.hear(notice);
    const asked: Promise<void>[] = [];
    if (noun === 'server') {
      asked.push(this.listener.refresh());
    }
    if (
      /^(model_load\.(end|error)|model_unload|models\.changed|download\.end)/.test(
        notice.kind
      )
    ) {
      asked.push(this.models.refresh(), this.health.refresh());
    }
    Promise.all(asked).catch(() => undefined);
    this._heard.emit(notice);
  }

  private _heard = new Signal<this, INotice>(this);
}

export const ILmnb = new Token<Lmnb>(
  'lmnb-labextension:ILmnb',
  'The state of the lmnb server: models, downloads, the second listener.'
);
