import { Client } from '../api/client';
import { isAbort, messageOf } from '../api/errors';
import { IInstance, IModel, INotice, LoadOptions } from '../api/types';
import { Observable } from './observable';

/** A load on its way, started here or elsewhere. */
export interface ILoading {
  /** The model's key, or the identifier that it will have. */
  name: string;
  /** From 0 to 1. */
  progress: number;
  /** Only whoever started it can stop it. */
  cancel?: () => void;
}

/** What is on this machine, what is loaded, what is being loaded. */
export class Models {
  /** Null until the server has answered for the first time. */
  readonly list = new Observable<readonly IModel[] | null>(null);
  readonly loading = new Observable<readonly ILoading[]>([]);
  /** What went wrong last, by the model's key. */
  readonly errors = new Observable<ReadonlyMap<string, string>>(new Map());

  /** `changed` is called when something was loaded or unloaded from here. */
  constructor(
    private _client: Client,
    private _changed: () => void = () => undefined
  ) {}

  async refresh(): Promise<void> {
    this.list.set(await this._client.models());
  }

  /** Instances that run, with their models. */
  loaded(): { model: IModel; instance: IInstance }[] {
    return (this.list.value ?? []).flatMap(model =>
      model.loaded_instances.map(instance => ({ model, instance }))
    );
  }

  /** Resolves to the instance's identifier; null if it was stopped or failed, which `errors` says. */
  async load(key: string, options: LoadOptions = {}): Promise<string | null> {
    const abort = new AbortController();
    const step = (progress: number): void =>
      this._step({ name: key, progress, cancel: () => abort.abort() });
    this._say(key, null);
    step(0);
    try {
      return await this._client.load(key, options, step, abort.signal);
    } catch (error) {
      if (!isAbort(error)) {
        this._say(key, messageOf(error));
      }
      return null;
    } finally {
      this._done(key);
      // A server that is lost is shown elsewhere.
      await this.refresh().catch(() => undefined);
      this._changed();
    }
  }

  async unload(instance: string): Promise<void> {
    await this._client.unload(instance);
    await this.refresh();
    this._changed();
  }

  async remove(key: string): Promise<void> {
    await this._client.remove(key);
    await this.refresh();
  }

  /** Somebody, here or elsewhere, loads or unloads. */
  hear(notice: INotice): void {
    const name = String(notice.data.model ?? notice.data.instance_id ?? '');
    const ours = this.loading.value.some(
      one => one.name === name && one.cancel
    );
    if (notice.kind === 'model_load.progress' && !ours) {
      this._step({ name, progress: Number(notice.data.progress) });
    } else if (
      notice.kind === 'model_load.end' ||
      notice.kind === 'model_load.error'
    ) {
      if (!ours) {
        this._done(name);
      }
    }
  }

  private _step(step: ILoading): void {
    const others = this.loading.value.filter(one => one.name !== step.name);
    this.loading.set([...others, step]);
  }

  private _done(name: string): void {
    this.loading.set(this.loading.value.filter(one => one.name !== name));
  }

  private _say(key: string, message: string | null): void {
    const errors = new Map(this.errors.value);
    if (message === null) {
      errors.delete(key);
    } else {
      errors.set(key, message);
    }
    this.errors.set(errors);
  }
}
