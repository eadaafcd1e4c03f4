import { ISignal, Signal } from '@lumino/signaling';

/** A value that says when it changes. */
export class Observable<T> {
  constructor(private _value: T) {}

  get value(): T {
    return this._value;
  }

  get changed(): ISignal<this, T> {
    return this._changed;
  }

  set(value: T): void {
    if (value !== this._value) {
      this._value = value;
      this._changed.emit(value);
    }
  }

  private _changed = new Signal<this, T>(this);
}
