import { LabIcon } from '@jupyterlab/ui-components';
import React, { useState } from 'react';

import { messageOf } from '../../api/errors';

interface IButton {
  label: string;
  /** Shown instead of the label, which then is its accessible name. */
  icon?: LabIcon;
  /** What it is about, for those who hear a list of buttons: "Load smollm2". */
  about?: string;
  kind?: 'primary' | 'danger';
  disabled?: boolean;
  /** While a promise is pending, the button is not to be pressed again. */
  action: () => unknown;
  /** Told what failed, and null before another try. */
  failed?: (message: string | null) => void;
}

/** A button that waits for what it does, and says when that fails. */
export function Button(props: IButton): JSX.Element {
  const { label, icon, about, kind, disabled, action, failed } = props;
  const [busy, setBusy] = useState(false);
  const press = async (): Promise<void> => {
    failed?.(null);
    setBusy(true);
    try {
      await action();
    } catch (error) {
      if (!failed) {
        throw error;
      }
      failed(messageOf(error));
    } finally {
      setBusy(false);
    }
  };
  const name = about ? `${label}: ${about}` : label;
  return (
    <button
      type="button"
      className={`jp-lmnb-button${kind ? ` jp-lmnb-${kind}` : ''}${icon ? ' jp-lmnb-icon' : ''}`}
      aria-label={name}
      title={icon ? name : undefined}
      aria-busy={busy}
      disabled={disabled || busy}
      onClick={() => void press()}
    >
      {icon ? <icon.react tag="span" aria-hidden="true" /> : label}
    </button>
  );
}
