import { Dialog, showDialog } from '@jupyterlab/apputils';
import { deleteIcon, settingsIcon } from '@jupyterlab/ui-components';
import React, { useState } from 'react';

import { IModel } from '../../api/types';
import { bytes } from '../../state/format';
import { useObservable, usePanel } from '../context';
import { Button } from '../parts/button';
import { Failure } from '../parts/failure';
import { Check } from '../parts/field';
import { Progress } from '../parts/progress';
import { Capabilities } from './capabilities';
import { Loader } from './loader';

/** A model on this machine: what it is, whether it is loaded, what can be done with it. */
export function ModelRow(props: { model: IModel }): JSX.Element {
  const { model } = props;
  const { lmnb, trans } = usePanel();
  const [failure, setFailure] = useState<string | null>(null);
  const [settings, showSettings] = useState(false);
  const errors = useObservable(lmnb.models.errors);
  const loading = useObservable(lmnb.models.loading).find(
    one => one.name === model.key
  );
  const loaded = model.loaded_instances.length > 0;
  const facts = [
    model.params_string,
    model.quantization.name,
    bytes(model.size_bytes),
    model.architecture
  ];
  return (
    <li className="jp-lmnb-row" data-loaded={loaded}>
      <div className="jp-lmnb-rowhead">
        <span className="jp-lmnb-name" title={model.path}>
          {model.key}
        </span>
        <Button
          label={trans.__('Load settings')}
          about={model.key}
          icon={settingsIcon}
          action={() => showSettings(!settings)}
        />
        {model.details.deletable && (
          <Button
            label={trans.__('Delete')}
            about={model.key}
            icon={deleteIcon}
            action={async () => {
              if (await sure(model, trans)) {
                await lmnb.models.remove(model.key);
              }
            }}
            failed={setFailure}
          />
        )}
        {!loading && !loaded && (
          <Button
            label={trans.__('Load')}
            about={model.key}
            kind="primary"
            action={() => lmnb.models.load(model.key)}
          />
        )}
      </div>
      <div className="jp-lmnb-facts">
        {facts.filter(Boolean).join(' · ')} <Capabilities of={model} />
      </div>
      {loading && (
        <div className="jp-lmnb-loading">
          <Progress
            label={trans.__('Loading %1', model.key)}
            share={loading.progress}
          />
          {loading.cancel && (
            <Button
              label={trans.__('Stop')}
              about={trans.__('Loading %1', model.key)}
              action={loading.cancel}
            />
          )}
        </div>
      )}
      {model.loaded_instances.map(instance => (
        <Instance key={instance.id} id={instance.id} failed={setFailure} />
      ))}
      <Failure message={failure ?? errors.get(model.key) ?? null} />
      {model.capabilities?.fill_in_the_middle && (
        <Completes model={model.key} />
      )}
      {settings && <Loader model={model} close={() => showSettings(false)} />}
    </li>
  );
}

/** Does this model complete code while one types? */
function Completes(props: { model: string }): JSX.Element | null {
  const { lmnb, trans } = usePanel();
  const completion = useObservable(lmnb.completion);
  return completion === null ? null : (
    <Check
      label={trans.__('Completes code while I type')}
      checked={completion.model === props.model}
      change={on => void completion.choose(on ? props.model : '')}
    />
  );
}

/** A loaded instance, with what it takes. */
function Instance(props: {
  id: string;
  failed: (message: string | null) => void;
}): JSX.Element {
  const { lmnb, tab, conversation, trans } = usePanel();
  const status = useObservable(lmnb.health.status);
  const look = status?.loaded.find(one => one.identifier === props.id);
  const facts = look && [
    trans.__('%1 tokens of context', look.context_length),
    look.memory_bytes && bytes(look.memory_bytes)
  ];
  return (
    <div className="jp-lmnb-instance">
      <span className="jp-lmnb-badge">{trans.__('Loaded')}</span>
      <span className="jp-lmnb-facts">
        {facts ? facts.filter(Boolean).join(' · ') : props.id}
      </span>
      <Button
        label={trans.__('Try')}
        about={props.id}
        action={() => {
          conversation.model.set(props.id);
          tab.set('chat');
        }}
      />
      <Button
        label={trans.__('Unload')}
        about={props.id}
        action={() => lmnb.models.unload(props.id)}
        failed={props.failed}
      />
    </div>
  );
}

async function sure(
  model: IModel,
  trans: ReturnType<typeof usePanel>['trans']
): Promise<boolean> {
  const { button } = await showDialog({
    title: trans.__('Delete %1?', model.key),
    body: trans.__(
      'This removes %1 from the disk: %2',
      bytes(model.size_bytes),
      model.path
    ),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Keep') }),
      Dialog.warnButton({ label: trans.__('Delete') })
    ],
    defaultButton: 0
  });
  return button.accept;
}
