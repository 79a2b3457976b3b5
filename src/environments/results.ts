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
import {archiveResult, signerResult} from '../images/results.js'

const identityResult = v.picklist(['mapped', 'emulated'])
const engineResult = v.picklist(['bwrap', 'unshare', 'proot'])
const changeResult = v.picklist(['added', 'changed', 'removed'])

const imageResult = described(
  v.object({
    source: described(v.string(), 'absolute path, URL without secrets, or -'),
    name: described(v.nullable(v.string()), 'canonical name; null for a file or a URL'),
    version: described(v.nullable(v.string()), 'point release or serial'),
    sha256: digestField,
    sizeBytes: countField,
    compression: v.string(),
    trust: v.picklist(['signed', 'digest', 'unverified']),
    signer: described(v.nullable(signerResult), 'null unless trust is signed'),
    signedAt: v.nullable(dateField),
    archive: v.nullable(archiveResult),
  }),
  'The archive it was made from, and who vouched for it.',
)

export const environmentResult = described(
  v.object({
    name: v.string(),
    state: v.picklist(['running', 'stopped']),
    path: described(v.string(), 'where what it writes goes'),
    createdAt: dateField,
    image: imageResult,
    identity: identityResult,
    storage: v.picklist(['overlay', 'directory']),
    architecture: architectureField,
    extraction: v.object({
      entries: countField,
      sizeBytes: countField,
      skippedDevices: described(countField, "device nodes that can't be made"),
      squashedOwners: described(countField, 'owners outside the range, given to nobody'),
      fileCapabilities: described(countField, 'files whose capabilities were not set'),
    }),
    sizeBytes: described(countField, 'what removing it would give back'),
    sharedBytes: described(countField, 'what it shares with others, or with its image'),
    snapshots: described(countField, 'points it can go back to'),
    lastUsedAt: v.nullable(dateField),
    processes: described(countField, 'in the guest'),
    engine: described(
      v.nullable(engineResult),
      'what it was, or would be, started with; null where nothing works',
    ),
    isolationGaps: described(
      v.array(v.picklist(['host-files', 'own-mounts'])),
      'what its engine does not keep it from; `host-files`: all files of the user (proot); `own-mounts`: its root can change its mounts (no second user namespace)',
    ),
    anchorPid: described(v.nullable(countField), 'its first process, as the host sees it'),
  }),
  'All that is known of an environment.',
)
export type EnvironmentResult = RecordOf<typeof environmentResult>

export const environmentListResult = v.array(
  v.object({
    name: v.string(),
    state: described(
      v.picklist(['running', 'stopped', 'try', 'ended', 'damaged']),
      'try: it goes when the command that made it ends; ended: such a one that can still be kept; damaged: it can only be removed',
    ),
    image: v.nullable(v.string()),
    identity: v.nullable(identityResult),
    architecture: described(v.nullable(v.string()), 'processor architecture, by its dpkg name'),
    sizeBytes: described(v.nullable(countField), 'what removing it would give back'),
    sharedBytes: v.nullable(countField),
    createdAt: v.nullable(dateField),
    lastUsedAt: v.nullable(dateField),
  }),
)
export type EnvironmentListResult = RecordOf<typeof environmentListResult>

export const processListResult = v.array(
  v.object({
    environment: v.string(),
    hostPid: described(countField, 'as the host sees it'),
    pid: countField,
    uid: countField,
    startedAt: dateField,
    command: v.string(),
  }),
)
export type ProcessListResult = RecordOf<typeof processListResult>

export const pathResult = v.object({
  name: ownNameField,
  path: described(v.string(), 'where what it writes goes'),
  layers: described(
    v.array(v.string()),
    'all folders that its files lie in, the lowest first; path is the last',
  ),
})
export type PathResult = RecordOf<typeof pathResult>

export const sessionPreviewResult = described(
  v.object({
    anchor: v.object({command: v.array(v.string()), options: v.array(v.string())}),
    session: v.array(v.string()),
  }),
  'Command lines that would be executed.',
)
export type SessionPreviewResult = RecordOf<typeof sessionPreviewResult>

export const stopResult = v.object({name: ownNameField, wasRunning: v.boolean()})
export type StopResult = RecordOf<typeof stopResult>

export const renameResult = v.object({name: ownNameField, path: v.string()})
export type RenameResult = RecordOf<typeof renameResult>

export const removedResult = v.object({removed: v.array(v.string())})
export type RemovedResult = RecordOf<typeof removedResult>

export const keepResult = v.object({
  name: described(v.string(), 'the name it has now'),
  from: described(v.string(), 'the name it had'),
})
export type KeepResult = RecordOf<typeof keepResult>

export const snapshotResult = v.object({
  name: ownNameField,
  label: v.string(),
  createdAt: dateField,
  copiedBytes: described(countField, 'what had to be copied, for the environment runs'),
  frozenMs: described(v.number(), 'how long everything in it stood still'),
})

export const snapshotListResult = v.array(
  v.object({
    label: v.string(),
    kind: v.picklist(['manual', 'automatic', 'replaced', 'initial', 'cloned']),
    createdAt: dateField,
    isLatest: described(v.boolean(), "today's state came from it, and nothing between"),
    changedBytes: described(countField, 'written since the snapshot before'),
    heldBytes: described(countField, 'what removing it alone would give back'),
  }),
)
export type SnapshotListResult = RecordOf<typeof snapshotListResult>

export const wentBackResult = v.object({
  name: ownNameField,
  label: described(v.string(), 'of the snapshot that it is now'),
  createdAt: dateField,
  kept: described(v.string(), 'label of the snapshot of what was there'),
  isKeptNew: described(v.boolean(), 'false when that one had been made before'),
})
export type WentBackResult = RecordOf<typeof wentBackResult>

export const fileChangeResult = v.object({
  path: described(v.string(), "from the guest's root on"),
  change: changeResult,
  kind: v.string(),
  changed: described(v.array(v.string()), 'in what'),
  package: described(v.nullable(v.string()), 'that has it'),
  group: v.string(),
  sizeBytes: described(countField, 'how much larger it became'),
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
    'null where dpkg has no list',
  ),
  conffiles: described(v.array(fileChangeResult), 'settings of packages that somebody changed'),
  files: described(
    v.array(fileChangeResult),
    'of no package, or of one that is the same at both points; with --files all',
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
    'files that are counted only',
  ),
  sizeBytes: described(countField, 'how much larger all files became'),
  unreadable: described(countField, 'files that could not be looked into'),
  dropped: described(countField, 'files that differ and are too many to be told of'),
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

export const exportResult = v.object({
  name: ownNameField,
  file: v.string(),
  format: v.picklist(['tar', 'gz', 'xz', 'zst']),
  sha256: digestField,
  sizeBytes: countField,
  entries: countField,
})

export const pruneResult = v.object({
  dryRun: v.boolean(),
  freedBytes: countField,
  pruned: v.array(
    v.object({
      kind: v.picklist(['try', 'snapshots', 'leftover', 'image-tree', 'image', 'packages']),
      name: v.nullable(v.string()),
      count: described(countField, 'how many it stands for'),
      sizeBytes: countField,
      reason: v.picklist(['ended', 'old', 'unused', 'superseded', 'unfinished', 'damaged']),
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
export const laidShimsResult = v.object({shims: v.array(shimResult)})
export type LaidShimsResult = RecordOf<typeof laidShimsResult>

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
    'files that are not as the image has them',
  ),
  missingUnlisted: described(countField, 'so many more'),
  packages: described(
    v.nullable(
      v.array(v.object({name: v.string(), version: v.string(), problem: v.string(), remedy: v.string()})),
    ),
    'that need more than the environment gives; null where dpkg has no list',
  ),
})
export type EnvironmentReportResult = RecordOf<typeof environmentReportResult>

export const repairResult = v.object({
  orphans: described(
    v.array(v.object({name: v.string(), holders: v.array(v.object({pid: countField, command: v.string()}))})),
    'environments that what is left of them keeps from starting',
  ),
  folders: countField,
  layers: countField,
  tries: countField,
})
export type RepairResult = RecordOf<typeof repairResult>

export const fetchedToolResult = v.object({
  version: v.string(),
  folder: described(v.string(), 'where its programs lie'),
  wasKept: described(v.boolean(), 'it was here already'),
})
export type FetchedToolResult = RecordOf<typeof fetchedToolResult>
