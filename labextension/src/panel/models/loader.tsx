import React, { useEffect, useMemo, useState } from 'react';

import { IModel } from '../../api/types';
import { LoadForm } from '../../state/loadform';
import { useObservable, usePanel } from '../context';
import { Button } from '../parts/button';
import { Failure } from '../parts/failure';
import { LoadControls } from './loadcontrols';
import { Memory } from './memory';

/** How a model is loaded, and what that takes while one changes it. */
export function Loader(props: {
  model: IModel;
  close: () => void;
}): JSX.Element {
  const { model, close } = props;
  const { lmnb, trans } = usePanel();
  const form = useMemo(
    () => new LoadForm(lmnb.client, model.key),
    [lmnb, model.key]
  );
  useEffect(() => {
    void form.open();
    return () => form.close();
  }, [form]);
  const [failure, setFailure] = useState<string | null>(null);
  const saved = useObservable(form.saved);
  const estimate = useObservable(form.estimate);
  const error = useObservable(form.error);
  const outdated = useObservable(form.outdated);
  const loaded = model.loaded_instances[0];
  const refused = estimate?.guardrail.allowed === false;
  const load = async (): Promise<void> => {
    if (loaded) {
      await lmnb.models.unload(loaded.id);
    }
    close();
    const anyway = refused ? { guardrail: 'off' } : {};
    await lmnb.models.load(model.key, { ...form.set.value, ...anyway });
  };
  return (
    <section
      className="jp-lmnb-loader"
      aria-label={trans.__('Load settings: %1', model.key)}
    >
      <LoadControls form={form} most={model.max_context_length} />
      {estimate && <Memory estimate={estimate} />}
      {outdated && (
        <p className="jp-lmnb-hint" role="status">
          {trans.__('It is loaded as it was set before: load it again.')}
        </p>
      )}
      <Failure message={failure ?? error} />
      <div className="jp-lmnb-actions">
        <Button
          label={
            refused
              ? trans.__('Load anyway')
              : loaded
                ? trans.__('Load again')
                : trans.__('Load like this')
          }
          about={model.key}
          kind={refused ? 'danger' : 'primary'}
          action={load}
          failed={setFailure}
        />
        <Button
          label={saved ? trans.__('Saved') : trans.__('Save')}
          about={trans.__('Load settings: %1', model.key)}
          disabled={saved}
          action={() => form.save()}
          failed={setFailure}
        />
        <Button
          label={trans.__('Reset')}
          about={trans.__('Load settings: %1', model.key)}
          action={() => form.reset()}
          failed={setFailure}
        />
      </div>
    </section>
  );
}
