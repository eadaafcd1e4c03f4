import { Client } from '../api/client';
import { isAbort, messageOf } from '../api/errors';
import { IEstimate, ISettings, LoadOptions } from '../api/types';
import { Observable } from './observable';

const PAUSE_MS = 200;

/** What somebody sets before a load, and what that would take. */
export class LoadForm {
  /** What is set; everything else is the server's choice. */
  readonly set = new Observable<LoadOptions>({});
  /** What would be used: what is set, and the server's choices. */
  readonly effective = new Observable<LoadOptions>({});
  readonly estimate = new Observable<IEstimate | null>(null);
  readonly error = new Observable<string | null>(null);
  /** It is loaded as it was set before. */
  readonly outdated = new Observable<boolean>(false);
  /** Is this what the server remembers for the model? */
  readonly saved = new Observable<boolean>(true);

  constructor(
    private _client: Client,
    readonly model: string
  ) {}

  async open(): Promise<void> {
    try {
      this._take(await this._client.settings(this.model));
    } catch (error) {
      this.error.set(messageOf(error));
    }
    await this._ask();
  }

  close(): void {
    window.clearTimeout(this._timer);
    this._asked?.abort();
  }

  change(name: string, value: LoadOptions[string]): void {
    this.set.set({ ...this.set.value, [name]: value });
    this.saved.set(false);
    window.clearTimeout(this._timer);
    this._timer = window.setTimeout(() => void this._ask(), PAUSE_MS);
  }

  /** The server loads the model like this from now on, whoever asks. */
  async save(): Promise<void> {
    this._take(await this._client.saveSettings(this.model, this.set.value));
  }

  /** Back to the server's own choices. */
  async reset(): Promise<void> {
    await this._client.forgetSettings(this.model);
    this._take(await this._client.settings(this.model));
    await this._ask();
  }

  private _take(settings: ISettings): void {
    this.set.set(settings.settings);
    this.effective.set(settings.effective);
    this.outdated.set(settings.needs_reload);
    this.saved.set(true);
  }

  /** Only the newest question counts. */
  private async _ask(): Promise<void> {
    this._asked?.abort();
    const asked = (this._asked = new AbortController());
    try {
      const estimate = await this._client.estimate(
        this.model,
        this.set.value,
        asked.signal
      );
      this.estimate.set(estimate);
      this.effective.set({ ...this.effective.value, ...estimate.load_config });
      this.error.set(null);
    } catch (error) {
      if (!isAbort(error) && this._asked === asked) {
        this.error.set(messageOf(error));
      }
    }
  }

  private _timer = 0;
  private _asked: AbortController | null = null;
}
