import React from 'react';

import { IModel } from '../../api/types';
import { usePanel } from '../context';

/** What a model can do besides writing text. */
export function Capabilities(props: { of: IModel }): JSX.Element {
  const { trans } = usePanel();
  const { capabilities, type } = props.of;
  const words = [
    type === 'embedding' && trans.__('embeddings'),
    capabilities?.vision && trans.__('pictures'),
    capabilities?.trained_for_tool_use && trans.__('tools'),
    capabilities?.reasoning && trans.__('thinking'),
    capabilities?.fill_in_the_middle && trans.__('code completion')
  ];
  return (
    <>
      {words
        .filter((word): word is string => !!word)
        .map(word => (
          <span key={word} className="jp-lmnb-badge">
            {word}
          </span>
        ))}
    </>
  );
}
