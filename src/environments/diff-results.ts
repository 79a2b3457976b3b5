import * as v from 'valibot'
import type {RecordOf} from '../host/records.js'
import {countField, described, ownNameField} from '../host/result-fields.js'

const changeResult = v.picklist(['added', 'changed', 'removed'])

export const fileChangeResult = v.object({
  path: described(v.string(), 'absolute path in the guest'),
  change: changeResult,
  kind: v.string(),
  changed: described(v.array(v.string()), 'properties that changed'),
  package: described(v.nullable(v.string()), 'package that contains the file'),
  group: v.string(),
  sizeBytes: described(countField, 'growth of the file; negative when it shrank'),
})

const packageVersionResult = v.object({
  name: v.string(),
  architecture: v.string(),
  version: v.string(),
  state: v.string(),
})

export const packageMoveResult = v.object({
  name: v.string(),
  architecture: v.string(),
  from: v.string(),
  to: v.string(),
})

export const differenceResult = v.object({
  name: ownNameField,
  against: v.object({kind: v.picklist(['image', 'snapshot', 'environment']), name: v.string()}),
  packages: described(
    v.nullable(
      v.object({
        added: v.array(packageVersionResult),
        removed: v.array(packageVersionResult),
        upgraded: v.array(packageMoveResult),
        downgraded: v.array(packageMoveResult),
      }),
    ),
    'null where the environment has no dpkg database',
  ),
  conffiles: described(v.array(fileChangeResult), 'modified conffiles of packages'),
  files: described(
    v.array(fileChangeResult),
    'files of no package, or of a package with the same version on both sides; with --files all',
  ),
  users: v.array(
    v.object({
      name: v.string(),
      uid: countField,
      gid: countField,
      home: v.string(),
      shell: v.string(),
      change: changeResult,
      changed: v.array(v.string()),
    }),
  ),
  groups: v.array(
    v.object({
      name: v.string(),
      gid: countField,
      members: v.array(v.string()),
      change: changeResult,
      changed: v.array(v.string()),
    }),
  ),
  services: v.array(
    v.object({
      name: v.string(),
      init: v.picklist(['systemd', 'sysv']),
      change: v.picklist(['added', 'removed']),
      startedBy: v.array(v.string()),
    }),
  ),
  leftOut: described(
    v.array(v.object({group: v.string(), files: countField, sizeBytes: countField})),
    'groups of files that are counted and not listed',
  ),
  sizeBytes: described(countField, 'growth of all files; negative when they shrank'),
  unreadable: described(countField, 'number of files that could not be read'),
  dropped: described(countField, 'number of differing files above the limit of the list'),
  privileged: v.array(
    v.object({
      path: v.string(),
      change: changeResult,
      uid: countField,
      gid: countField,
      capabilities: v.array(v.string()),
      package: v.nullable(v.string()),
      mode: described(v.string(), 'octal, with setuid, setgid and sticky'),
    }),
  ),
})
export type DifferenceResult = RecordOf<typeof differenceResult>
