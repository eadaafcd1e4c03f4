import React, { useEffect } from 'react';

import { Sorting } from '../../api/types';
import { useObservable, usePanel } from '../context';
import { Button } from '../parts/button';
import { Failure } from '../parts/failure';
import { Words } from '../parts/words';
import { FoundRow } from './foundrow';

/** Models of the Hugging Face Hub. */
export function Discover(): JSX.Element {
  const { search, trans } = usePanel();
  const words = useObservable(search.words);
  const sort = useObservable(search.sort);
  const found = useObservable(search.found);
  const running = useObservable(search.running);
  const error = useObservable(search.error);
  const more = useObservable(search.cursor);
  useEffect(() => {
    search.open();
    return () => search.close();
  }, [search]);
  const names: Record<Sorting, string> = {
    trending: trans.__('Trending'),
    downloads: trans.__('Most downloads'),
    likes: trans.__('Most likes'),
    updated: trans.__('Newest')
  };
  return (
    <>
      <div className="jp-lmnb-search" role="search">
        <Words
          search
          label={trans.__('Search models')}
          placeholder={trans.__('Name, or owner/repository')}
          value={words}
          change={words => search.ask({ words })}
        />
        <select
          className="jp-lmnb-input"
          aria-label={trans.__('Sort by')}
          value={sort}
          onChange={event =>
            search.ask({ sort: event.target.value as Sorting })
          }
        >
          {Object.entries(names).map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
      </div>
      <Failure message={error} />
      <p className="jp-lmnb-hint" role="status">
        {running
          ? trans.__('Searching …')
          : found.length === 0 && error === null
            ? trans.__('Nothing found.')
            : ''}
      </p>
      <ul className="jp-lmnb-list" aria-label={trans.__('Models found')}>
        {found.map(one => (
          <FoundRow key={one.id} found={one} />
        ))}
      </ul>
      {more !== null && (
        <Button label={trans.__('Show more')} action={() => search.more()} />
      )}
    </>
  );
}
