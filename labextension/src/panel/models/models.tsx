import React, { useState } from 'react';

import { useObservable, usePanel } from '../context';
import { Words } from '../parts/words';
import { Discover } from './discover';
import { ModelRow } from './modelrow';

/** What is here, and what could be. */
export function Models(): JSX.Element {
  const { discovering: choice, trans } = usePanel();
  const discovering = useObservable(choice);
  return (
    <>
      <div
        className="jp-lmnb-switch"
        role="group"
        aria-label={trans.__('Where')}
      >
        <button
          type="button"
          aria-pressed={!discovering}
          onClick={() => choice.set(false)}
        >
          {trans.__('My models')}
        </button>
        <button
          type="button"
          aria-pressed={discovering}
          onClick={() => choice.set(true)}
        >
          {trans.__('Discover')}
        </button>
      </div>
      {discovering ? <Discover /> : <Local />}
    </>
  );
}

function Local(): JSX.Element {
  const { lmnb, trans } = usePanel();
  const models = useObservable(lmnb.models.list);
  const [filter, setFilter] = useState('');
  if (models === null) {
    return <p className="jp-lmnb-hint">{trans.__('Looking for models …')}</p>;
  }
  if (models.length === 0) {
    return (
      <p className="jp-lmnb-hint">
        {trans.__(
          'There is no model on this machine yet. Find one under “Discover”, or bring a .gguf file with “Load with lmnb” in the file browser.'
        )}
      </p>
    );
  }
  const wanted = filter.toLowerCase();
  const shown = models.filter(model =>
    `${model.key} ${model.display_name}`.toLowerCase().includes(wanted)
  );
  return (
    <>
      {models.length > 5 && (
        <Words
          search
          label={trans.__('Filter the models on this machine')}
          placeholder={trans.__('Filter')}
          value={filter}
          change={setFilter}
        />
      )}
      <ul
        className="jp-lmnb-list"
        aria-label={trans.__('Models on this machine')}
      >
        {shown.map(model => (
          <ModelRow key={model.key} model={model} />
        ))}
      </ul>
    </>
  );
}
