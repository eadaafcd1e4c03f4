import { Dialog, showDialog } from '@jupyterlab/apputils';
import React, { useState } from 'react';

import { IKey, INewKey } from '../../api/types';
import { useObservable, usePanel } from '../context';
import { Button } from '../parts/button';
import { Copyable } from '../parts/copy';
import { Failure } from '../parts/failure';
import { Check } from '../parts/field';
import { Words } from '../parts/words';

/** Keys for programs: made, shown once, revoked. */
export function Keys(): JSX.Element {
  const { lmnb, trans } = usePanel();
  const keys = useObservable(lmnb.listener.keys);
  const [name, setName] = useState('');
  const [manages, setManages] = useState(false);
  const [made, setMade] = useState<INewKey | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const create = async (): Promise<void> => {
    const permissions = manages ? ['use', 'manage'] : ['use'];
    setMade(await lmnb.listener.createKey(name.trim(), permissions));
    setName('');
  };
  const revoke = async (key: IKey): Promise<void> => {
    const { button } = await showDialog({
      title: trans.__('Revoke %1?', key.name),
      body: trans.__('Programs that use this key are refused from now on.'),
      buttons: [
        Dialog.cancelButton({ label: trans.__('Keep') }),
        Dialog.warnButton({ label: trans.__('Revoke') })
      ],
      defaultButton: 0
    });
    if (button.accept) {
      await lmnb.listener.revokeKey(key.id);
      setMade(made?.id === key.id ? null : made);
    }
  };
  return (
    <section>
      <h3>{trans.__('Keys')}</h3>
      {made && (
        <div className="jp-lmnb-newkey" role="status">
          {trans.__('%1: copy it now, it is not shown again.', made.name)}
          <Copyable label={trans.__('Key %1', made.name)} text={made.key} />
          <Button label={trans.__('Done')} action={() => setMade(null)} />
        </div>
      )}
      <ul className="jp-lmnb-list" aria-label={trans.__('Keys')}>
        {keys.map(key => (
          <li key={key.id} className="jp-lmnb-rowhead">
            <span className="jp-lmnb-name">{key.name}</span>
            <span className="jp-lmnb-facts">{key.permissions.join(', ')}</span>
            <Button
              label={trans.__('Revoke')}
              about={key.name}
              action={() => revoke(key)}
              failed={setFailure}
            />
          </li>
        ))}
      </ul>
      <div className="jp-lmnb-actions">
        <Words
          label={trans.__('Name of a new key')}
          placeholder={trans.__('What is it for?')}
          value={name}
          change={setName}
        />
        <Button
          label={trans.__('Create key')}
          disabled={!name.trim()}
          action={create}
          failed={setFailure}
        />
      </div>
      <Check
        label={trans.__('It may also load, download and delete')}
        checked={manages}
        change={setManages}
      />
      <Failure message={failure} />
    </section>
  );
}
