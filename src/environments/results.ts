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
const confinementFields = {
  profile: described(
    v.picklist(['trusted', 'default', 'isolated']),
    'how much of the host and the kernel it may use, from its next start on',
  ),
  readOnly: described(v.boolean(), 'whether its root file system is read-only'),
  capDrop: described(
    v.array(v.string()),
    'capabilities that its root does not have, beside those of the profile',
  ),
}
const engineResult = v.picklist(['bwrap', 'unshare', 'proot'])
const changeResult = v.picklist(['added', 'changed', 'removed'])

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
    ...confinementFields,
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
    v.object({init: initResult, ...confinementFields}),
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

const ociDigestResult = v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/))

/** An image that was made from an environment. */
const publishedImageFields = {
  digest: described(ociDigestResult, 'of the manifest'),
  configDigest: ociDigestResult,
  layers: v.array(
    v.object({
      digest: described(ociDigestResult, 'of the compressed layer'),
      diffId: described(ociDigestResult, 'of the layer without its compression'),
      sizeBytes: countField,
      entries: described(v.nullable(countField), 'null for a layer of the image below that was not packed'),
    }),
  ),
}

const exportedImageResult = v.object({...publishedImageFields, tags: v.array(v.string())})

export const exportResult = v.object({
  name: ownNameField,
  file: v.string(),
  format: v.picklist(['tar', 'gz', 'xz', 'zst', 'oci', 'docker']),
  sha256: digestField,
  sizeBytes: countField,
  entries: countField,
  image: v.exactOptional(described(exportedImageResult, 'with the formats oci and docker')),
})

export const pushResult = v.object({
  name: ownNameField,
  reference: described(v.string(), 'whole name of the image'),
  ...publishedImageFields,
  blobs: described(
    v.array(
      v.object({
        digest: ociDigestResult,
        sizeBytes: countField,
        how: v.picklist(['there', 'mounted', 'sent']),
      }),
    ),
    'layers and configuration, and how the registry got them',
  ),
})

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
