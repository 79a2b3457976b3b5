import * as v from 'valibot'
import type {RecordOf} from '../../host/records.js'
import {described, ownNameField} from '../../host/result-fields.js'

export const startResult = described(
  v.object({
    name: ownNameField,
    init: v.picklist(['systemd', 'services']),
    wasRunning: v.boolean(),
    state: described(v.picklist(['running', 'degraded']), 'degraded: units failed'),
    failedUnits: v.array(v.string()),
  }),
  'A booted environment.',
)
export type StartResult = RecordOf<typeof startResult>

export const autostartResult = described(
  v.object({
    name: ownNameField,
    autostart: described(v.nullable(v.picklist(['systemd', 'crontab'])), 'null where nothing starts it'),
    lingers: described(
      v.nullable(v.boolean()),
      'whether the user manager starts with the host, before a login; null where that is unknown',
    ),
  }),
  'How an environment starts with the host.',
)
export type AutostartResult = RecordOf<typeof autostartResult>
