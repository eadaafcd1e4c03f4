import { Clipboard } from '@jupyterlab/apputils';
import { copyIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { usePanel } from '../context';
import { Button } from './button';

/** A text to take along. */
export function Copyable(props: { label: string; text: string }): JSX.Element {
  const { trans } = usePanel();
  return (
    <div className="jp-lmnb-copyable">
      <code>{props.text}</code>
      <Button
        label={trans.__('Copy')}
        about={props.label}
        icon={copyIcon}
        action={() => Clipboard.copyToSystem(props.text)}
      />
    </div>
  );
}
