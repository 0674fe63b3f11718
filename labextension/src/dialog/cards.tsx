/**
 * The choice of a profile: one card each, with platform, size and limits.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { IProfile, IProfiles } from '../tokens';
import { fieldsOf } from './fields';
import { cardLimits } from './hints';

interface ICardsProps {
  profiles: IProfiles;
  chosen: string;
  /** Error message of the choice; empty without an error. */
  wrong: string;
  choose: (name: string) => void;
  trans: TranslationBundle;
}

/** The profiles as a group of radio buttons; a profile that is not available says why. */
export function ProfileCards(props: ICardsProps): JSX.Element {
  const { profiles, wrong, trans } = props;
  return (
    <fieldset className="jp-Rucat-createProfiles">
      <legend>{trans.__('Profile')}</legend>
      <div className="jp-Rucat-createCards">
        {profiles.profiles.map(profile => (
          <Card key={profile.name} profile={profile} {...props} />
        ))}
      </div>
      <div role="alert" id={WRONG_ID} className="jp-Rucat-createError">
        {wrong}
      </div>
      {profiles.errors.length > 0 && (
        <div className="jp-Rucat-createWarning">
          {trans.__('Some profiles have errors and are missing or incomplete:')}
          <ul>
            {profiles.errors.map(error => (
              <li key={error}>{error}</li>
            ))}
          </ul>
        </div>
      )}
    </fieldset>
  );
}

const WRONG_ID = 'jp-Rucat-create-profile-error';

function Card(props: ICardsProps & { profile: IProfile }): JSX.Element {
  const { profile, chosen, wrong, choose, trans } = props;
  const isChosen = profile.name === chosen;
  return (
    <label className="jp-Rucat-createCard" data-profile={profile.name} data-chosen={isChosen}>
      <input
        type="radio"
        name="jp-Rucat-profile"
        value={profile.name}
        checked={isChosen}
        disabled={!profile.available}
        aria-invalid={isChosen && Boolean(wrong)}
        aria-describedby={isChosen && wrong ? WRONG_ID : undefined}
        onChange={() => choose(profile.name)}
      />
      <span className="jp-Rucat-createCardText">
        <span className="jp-Rucat-createCardName">{profile.name}</span>
        <span className="jp-Rucat-createCardLine">{lineOf(props)}</span>
        {profile.description && (
          <span className="jp-Rucat-createCardLine">{profile.description}</span>
        )}
        {!profile.available && (
          <span className="jp-Rucat-createCardLine">
            {trans.__(
              'Not available: this gateway does not support the platform %1.',
              profile.platform
            )}
          </span>
        )}
      </span>
    </label>
  );
}

/** Where, size, limits. */
function lineOf({ profile, profiles, trans }: ICardsProps & { profile: IProfile }): string {
  const fields = fieldsOf(profiles.fields, profile.platform, trans);
  const limits = cardLimits(fields, profiles.limits, trans);
  return [profile.where, profile.size, limits].filter(Boolean).join(' · ');
}
