import * as v from 'valibot'
import type {RecordOf} from '../host/records.js'
import {
  architectureField,
  countField,
  dateField,
  described,
  digestField,
  ownNameField,
} from '../host/result-fields.js'
import {archiveResult, containerResult, signerResult} from '../images/results.js'

export const identityResult = v.picklist(['mapped', 'emulated'])
const initResult = described(
  v.picklist(['none', 'systemd', 'services']),
  "its first process: none starts no services, systemd is the guest's own, services is a supervisor of envs",
)
const networkResults = {
  network: described(
    v.picklist(['host', 'none', 'private']),
    "its network: the host's; one of its own without a way out; or one of its own that leads out, and not to the host",
  ),
  publish: described(v.array(v.string()), 'ports of the host that lead to it: ADDRESS:PORT:GUEST'),
  allow: described(v.array(v.string()), 'the only networks that it reaches; empty for all'),
  allowHosts: described(v.array(v.string()), 'hosts that it reaches through a proxy, its only way out'),
}
const engineResult = v.picklist(['bwrap', 'unshare', 'proot'])

const imageResult = described(
  v.object({
    source: described(v.string(), 'absolute path, URL without credentials, or - for stdin'),
    name: described(v.nullable(v.string()), 'canonical name; null for a file or a URL'),
    version: described(v.nullable(v.string()), 'point release or serial'),
    sha256: digestField,
    sizeBytes: countField,
    compression: v.string(),
    trust: v.picklist(['signed', 'digest', 'registry', 'unverified']),
    signer: described(v.nullable(signerResult), 'null unless trust is signed'),
    signedAt: v.nullable(dateField),
    archive: v.nullable(archiveResult),
    container: described(v.nullable(containerResult), 'null for an image that is not one of containers'),
  }),
  'The image an environment was created from, and its verification.',
)

export const environmentResult = described(
  v.object({
    name: v.string(),
    state: v.picklist(['running', 'stopped']),
    path: described(v.string(), 'folder that its files are written to'),
    createdAt: dateField,
    image: imageResult,
    identity: identityResult,
    storage: v.picklist(['overlay', 'directory']),
    architecture: architectureField,
    init: initResult,
    ...networkResults,
    extraction: v.object({
      entries: countField,
      sizeBytes: countField,
      skippedDevices: described(countField, 'device nodes that could not be made'),
      squashedOwners: described(
        countField,
        'number of owners outside of the subuid range; their files belong to nobody',
      ),
      fileCapabilities: described(countField, 'files whose capabilities were not set'),
    }),
    sizeBytes: described(countField, 'space that its removal frees'),
    sharedBytes: described(
      countField,
      'size of the layers that it shares with its image or other environments',
    ),
    snapshots: described(countField, 'number of snapshots and restore points'),
    lastUsedAt: v.nullable(dateField),
    processes: described(countField, 'number of processes in the guest'),
    engine: described(
      v.nullable(engineResult),
      'the engine that started it, or would start it; null where no engine works',
    ),
    isolationGaps: described(
      v.array(v.picklist(['host-files', 'own-mounts'])),
      'gaps in the isolation by its engine; `host-files`: it can reach all files of the user (proot); `own-mounts`: its root can change its mounts (no second user namespace)',
    ),
    anchorPid: described(
      v.nullable(countField),
      'PID of its first process on the host; null when it is stopped',
    ),
  }),
  'All facts about an environment.',
)
export type EnvironmentResult = RecordOf<typeof environmentResult>

export const environmentListResult = v.array(
  v.object({
    name: v.string(),
    state: described(
      v.picklist(['running', 'stopped', 'try', 'ended', 'damaged']),
      'try: removed when the command that created it ends; ended: its command has ended, and envs keep can still keep it; damaged: it can only be removed',
    ),
    image: v.nullable(v.string()),
    identity: v.nullable(identityResult),
    architecture: described(v.nullable(v.string()), 'architecture as dpkg names it'),
    sizeBytes: described(v.nullable(countField), 'space that its removal frees'),
    sharedBytes: v.nullable(countField),
    createdAt: v.nullable(dateField),
    lastUsedAt: v.nullable(dateField),
  }),
)
export type EnvironmentListResult = RecordOf<typeof environmentListResult>

export const processListResult = v.array(
  v.object({
    environment: v.string(),
    hostPid: described(countField, 'PID on the host'),
    pid: countField,
    uid: countField,
    startedAt: dateField,
    command: v.string(),
    program: described(v.nullable(v.string()), 'program of envs run --detach that it belongs to'),
  }),
)
export type ProcessListResult = RecordOf<typeof processListResult>

export const pathResult = v.object({
  name: ownNameField,
  path: described(v.string(), 'folder that its files are written to'),
  layers: described(v.array(v.string()), 'folders of all layers, the lowest first; the last one is path'),
})
export type PathResult = RecordOf<typeof pathResult>

export const creationPreviewResult = described(
  v.object({
    dryRun: v.literal(true),
    name: v.string(),
    action: described(
      v.picklist(['fetch', 'make', 'kept', 'read']),
      'fetch: the image is downloaded; make: it is made from packages; kept: it is cached; read: it is your own tarball',
    ),
    image: v.object({
      name: described(v.nullable(v.string()), 'canonical name; null for a file or a URL'),
      version: v.nullable(v.string()),
      source: described(v.string(), 'its source, or the path or URL of your own tarball'),
      url: described(v.nullable(v.string()), 'without secrets'),
      sha256: v.nullable(digestField),
      sizeBytes: described(v.nullable(countField), 'null if not known before the download'),
      signer: v.nullable(signerResult),
      signedAt: v.nullable(dateField),
      packages: described(
        v.nullable(v.object({count: countField, sizeBytes: countField})),
        'the downloads for an image that is made from packages',
      ),
    }),
    identity: identityResult,
    storage: v.picklist(['overlay', 'directory']),
    engine: engineResult,
    architecture: architectureField,
    init: described(
      v.picklist(['none', 'systemd', 'services', 'auto']),
      'auto is resolved when the files of the image are there',
    ),
  }),
  'The environment that create would make.',
)
export type CreationPreviewResult = RecordOf<typeof creationPreviewResult>

export const sessionPreviewResult = described(
  v.object({
    anchor: v.object({command: v.array(v.string()), options: v.array(v.string())}),
    session: v.array(v.string()),
  }),
  'Command lines that would be executed.',
)
export type SessionPreviewResult = RecordOf<typeof sessionPreviewResult>

export const stopResult = v.object({
  name: ownNameField,
  wasRunning: v.boolean(),
  killed: described(
    v.array(v.object({pid: described(countField, 'PID in the guest'), command: v.string()})),
    'processes that did not end in time',
  ),
})
export type StopResult = RecordOf<typeof stopResult>

export const environmentSettingsResult = v.object({
  name: ownNameField,
  settings: described(
    v.object({init: initResult, ...networkResults}),
    'all settings of the environment, with the new values',
  ),
  isRunning: described(v.boolean(), 'whether it runs, and has the new values from its next start on'),
  hasOwnPolicy: described(
    v.boolean(),
    'whether somebody changed or removed its /usr/sbin/policy-rc.d, which envs then does not renew',
  ),
})
export type EnvironmentSettingsResult = RecordOf<typeof environmentSettingsResult>

export const renameResult = v.object({name: ownNameField, path: v.string()})
export type RenameResult = RecordOf<typeof renameResult>

export const removedResult = v.object({removed: v.array(v.string())})
export type RemovedResult = RecordOf<typeof removedResult>

export const removalResult = v.object({
  removed: v.array(v.string()),
  recoverable: described(
    v.array(v.object({name: v.string(), keptUntil: dateField})),
    'those that envs recover can bring back, and until when',
  ),
})
export type RemovalResult = RecordOf<typeof removalResult>

export const removedListResult = v.array(
  v.object({
    name: described(v.string(), 'name before the removal; several can have the same'),
    removedAt: dateField,
    keptUntil: described(dateField, 'the next command that changes something deletes its files after that'),
    image: described(v.nullable(v.string()), 'null where its record is damaged'),
    identity: identityResult,
    sizeBytes: described(v.nullable(countField), 'space that its deletion frees'),
  }),
)
export type RemovedListResult = RecordOf<typeof removedListResult>

export const recoverResult = v.object({
  name: ownNameField,
  from: described(v.string(), 'its name before the removal'),
  removedAt: dateField,
})
export type RecoverResult = RecordOf<typeof recoverResult>

export const keepResult = v.object({
  name: described(v.string(), 'the new name'),
  from: described(v.string(), 'the former name'),
})
export type KeepResult = RecordOf<typeof keepResult>

const prunableKindResult = v.picklist([
  'removed',
  'try',
  'snapshots',
  'leftover',
  'image-tree',
  'image-layers',
  'image',
  'packages',
])

export const pruneResult = v.object({
  dryRun: v.boolean(),
  freedBytes: countField,
  kept: described(
    v.object({
      younger: described(
        v.array(
          v.object({
            kind: prunableKindResult,
            name: v.nullable(v.string()),
            count: countField,
            sizeBytes: countField,
          }),
        ),
        'items that a smaller --older-than would remove',
      ),
      environments: described(
        v.object({count: countField, sizeBytes: countField}),
        'all environments, with their snapshots',
      ),
    }),
    'disk space that was not freed',
  ),
  pruned: v.array(
    v.object({
      kind: prunableKindResult,
      name: v.nullable(v.string()),
      count: described(countField, 'number of items in this entry'),
      sizeBytes: countField,
      reason: v.picklist(['removed', 'ended', 'old', 'unused', 'superseded', 'unfinished', 'damaged']),
    }),
  ),
})
export type PruneResult = RecordOf<typeof pruneResult>

export const shimResult = v.object({
  name: v.string(),
  environment: v.string(),
  command: v.string(),
  path: v.string(),
})
export const installedShimsResult = v.object({shims: v.array(shimResult)})
export type InstalledShimsResult = RecordOf<typeof installedShimsResult>
