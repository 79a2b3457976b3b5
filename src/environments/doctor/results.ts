import * as v from 'valibot'
import type {RecordOf} from '../../host/records.js'
import {countField, described, ownNameField} from '../../host/result-fields.js'
import {identityResult} from '../results.js'

export const environmentReportResult = v.object({
  name: ownNameField,
  identity: identityResult,
  missing: described(
    v.array(
      v.object({
        path: v.string(),
        kind: v.string(),
        lost: v.array(v.string()),
        uid: countField,
        gid: countField,
        mode: described(v.string(), 'octal'),
        capabilities: v.array(v.string()),
        device: v.nullable(
          v.object({type: v.picklist(['char', 'block']), major: countField, minor: countField}),
        ),
      }),
    ),
    'files that differ from the image: they lack an owner, a mode, capabilities or a device',
  ),
  missingUnlisted: described(countField, 'number of such files above the limit of the list'),
  packages: described(
    v.nullable(
      v.array(v.object({name: v.string(), version: v.string(), problem: v.string(), remedy: v.string()})),
    ),
    'packages that need more than the environment provides; null where it has no dpkg database',
  ),
})
export type EnvironmentReportResult = RecordOf<typeof environmentReportResult>

const storeProblemResult = v.object({
  kind: described(
    v.picklist([
      ...([
        'record',
        'history',
        'reference',
        'root',
        'upper',
        'layer',
        'image-layer',
        'layer-record',
      ] as const),
      ...(['snapshot', 'identity', 'ids', 'ledger', 'image', 'foreign', 'leftover'] as const),
    ]),
    'what is wrong: a record, a part of a history, a layer, the owners, an image, an entry that envs did not make',
  ),
  environment: described(v.nullable(v.string()), 'null for a problem of the store as a whole'),
  path: v.string(),
  problem: v.string(),
  remedy: v.string(),
  isRepairable: described(v.boolean(), 'whether `envs doctor --repair` repairs it'),
})

export const storeCheckResult = v.object({
  environments: described(countField, 'number of environments that were checked'),
  layers: countField,
  images: countField,
  problems: v.array(storeProblemResult),
})
export type StoreCheckResult = RecordOf<typeof storeCheckResult>

export const repairResult = v.object({
  orphans: described(
    v.array(v.object({name: v.string(), holders: v.array(v.object({pid: countField, command: v.string()}))})),
    'environments that could not start because orphaned processes held their lock',
  ),
  folders: countField,
  layers: countField,
  tries: countField,
  repaired: described(v.array(storeProblemResult), 'problems that were repaired'),
  problems: described(v.array(storeProblemResult), 'problems that are left'),
})
export type RepairResult = RecordOf<typeof repairResult>

export const fetchedToolResult = v.object({
  version: v.string(),
  folder: described(v.string(), 'folder of its programs'),
  wasKept: described(v.boolean(), 'whether it was installed already'),
})
export type FetchedToolResult = RecordOf<typeof fetchedToolResult>
