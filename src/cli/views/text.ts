import type {LookupNotice} from '../../environments/create/request.js'
import type {DownloadEvent} from '../../host/http/attempt.js'
import {type DebArchitecture, namedArchitecture, runsAsItIs} from '../../host/machine/arch.js'
import type {Signer} from '../../registry/trust/record.js'
import {formatBytes, formatDuration, formatLocalTime, formatRelativeTime} from '../format.js'

/** Describes an identity in one line. */
export function describeIdentity(identity: 'mapped' | 'emulated'): string {
  switch (identity) {
    case 'mapped':
      return 'mapped: users of the environment have ids of your subordinate range'
    case 'emulated':
      return 'emulated: every file is yours; changes of owner or user appear to succeed'
  }
}

/** Describes the architecture of an environment, and whether QEMU runs its programs. */
export function describeArchitecture(architecture: string, host: DebArchitecture): string {
  const known = namedArchitecture(architecture)
  return known === undefined || runsAsItIs(host, known)
    ? architecture
    : `${architecture}: QEMU runs its programs, many times slower`
}

/** Describes the storage of an environment in one line. */
export function describeStorage(storage: 'overlay' | 'directory'): string {
  switch (storage) {
    case 'overlay':
      return 'overlay: its own changes, over files that it shares'
    case 'directory':
      return 'directory: all files are its own'
  }
}

/** Describes the engine, and its restrictions, in one line. */
export function describeEngine(engine: 'bwrap' | 'unshare' | 'proot' | null): string {
  switch (engine) {
    case 'bwrap':
      return 'bwrap'
    case 'unshare':
      return 'unshare, instead of bubblewrap: nothing is missing'
    case 'proot':
      return 'proot: slower, services end with their session, and there are no layers, snapshots, other users or hostname'
    case null:
      return 'none works on this host: see envs doctor'
  }
}

/** Describes a gap in the isolation of an environment in one line. */
export function describeIsolationGap(gap: 'host-files' | 'own-mounts'): string {
  switch (gap) {
    case 'own-mounts':
      return 'this host forbids a second user namespace: root inside can uncover parts of /sys and mount your control groups'
    case 'host-files':
      return 'proot does not isolate: programs inside can read and change all your files'
  }
}

/** Describes what an environment may not use in one line. */
export function describeProfile({
  profile,
  readOnly,
  capDrop,
  identity,
}: {
  readonly profile: 'trusted' | 'default' | 'isolated'
  readonly readOnly: boolean
  readonly capDrop: readonly string[]
  readonly identity: 'mapped' | 'emulated'
}): string {
  return [
    // su and similar programs make one for each process.
    profile === 'isolated' && identity === 'emulated' ? 'isolated, but for user namespaces' : profile,
    ...(readOnly ? ['files read-only'] : []),
    ...(capDrop.length > 0 ? [`without ${capDrop.join(', ')}`] : []),
  ].join(', ')
}

/** Warning for root about own environments; docs/decisions/0011. */
export const RUN_BY_ROOT =
  'envs is meant for ordinary users: an environment that root creates runs with uid 0 of the host.'

/** Warns that owners outside of the subordinate range were replaced by nobody. */
export function describeSquashedOwners({count, ids}: {count: number; ids: readonly number[]}): string {
  const [files, belong] = count === 1 ? ['1 file has', 'belongs'] : [`${count} files have`, 'belong']
  return `${files} an owner outside of your subordinate range (${ids.join(', ')}), and ${belong} to nobody (65534) here. Programs that run as one of these ids cannot write to them; a longer range in /etc/subuid and /etc/subgid gives the ids to new environments.`
}

/** Refers to the report about lost owners and capabilities; undefined if nothing relevant is lost. */
export function describeLosses(
  {owners, capabilities, dropped}: {owners: number; capabilities: number; dropped: number},
  name: string,
): string | undefined {
  const atLeast = dropped > 0 ? 'More than ' : ''
  if (owners > 0)
    return `${atLeast}${owners === 1 ? '1 file has' : `${owners} files have`} another owner in the image: envs doctor ${name} lists them.`
  if (capabilities > 0)
    return `${capabilities === 1 ? '1 file lacks' : `${capabilities} files lack`} capabilities of the image: envs doctor ${name} lists them.`
  return undefined
}

/** Describes the losses of a copy with another identity. */
export function describeConversion(identity: 'mapped' | 'emulated', name: string): string {
  switch (identity) {
    case 'mapped':
      return `Owners are those of the image and of dpkg's overrides. Later changes of owners by packages are lost. To repeat them: envs run ${name} apt-get install --reinstall PACKAGE`
    case 'emulated':
      return `Its files have one owner now. See their original owners: envs doctor ${name}`
  }
}

/** Describes the origin that an exported tarball states; its texts are untrusted, one word each. */
export function describeOrigin(origin: {
  readonly name: string
  readonly image: {readonly name: string | null; readonly version: string | null}
  readonly identity: string
  readonly createdAt: Date
  readonly envs: string
}): string {
  const {name, image, identity, createdAt, envs} = origin
  const from =
    image.name === null ? '' : ` from ${image.name}${image.version === null ? '' : ` ${image.version}`}`
  return `The tarball says that it is ${name}, created${from} on ${createdAt.toISOString().slice(0, 10)}, ${identity}, exported by envs ${envs}.`
}

/** Describes who signed an image of a registry. */
export function describeImageSigner(signer: Signer): string {
  return signer.kind === 'key'
    ? `${signer.name}, ${signer.fingerprint}`
    : `${signer.subject}, by ${signer.issuer}`
}

/** Returns the names of those who signed an image of a registry; a dash without any. */
export function namesOfSigners(signers: readonly Signer[] = []): string {
  return signers.map((signer) => (signer.kind === 'key' ? signer.name : signer.subject)).join(', ') || '-'
}

/** Describes the trust in an image. @param container - Null for an image that is not one of containers. */
export function describeTrust({
  trust,
  container,
}: {
  readonly trust: 'signed' | 'digest' | 'registry' | 'unverified'
  readonly container: object | null
}): string {
  switch (trust) {
    case 'signed':
      return container === null
        ? 'its digest is in a listing that its publisher signed'
        : 'it has each signature that was demanded'
    case 'digest':
      return 'it has the requested digest'
    case 'registry':
      return 'its registry named the digest, over an authenticated connection'
    case 'unverified':
      return 'unverified: no digest was given'
  }
}

/**
 * Describes the progress of a download: `12 MB of 26 MB, 3.1 MB/s, 5 s left`.
 *
 * @param bytesPerSecond - Its rate; undefined while it is unknown.
 */
export function describeTransfer(event: DownloadEvent, bytesPerSecond?: number): string {
  switch (event.stage) {
    case 'download': {
      const {receivedBytes, totalBytes} = event
      const amount =
        totalBytes === undefined
          ? formatBytes(receivedBytes)
          : `${formatBytes(receivedBytes)} of ${formatBytes(totalBytes)}`
      if (bytesPerSecond === undefined) return amount
      const paced = `${amount}, ${formatBytes(bytesPerSecond)}/s`
      if (totalBytes === undefined || bytesPerSecond === 0) return paced
      return `${paced}, ${formatDuration((totalBytes - receivedBytes) / bytesPerSecond)} left`
    }
    case 'download-retry':
      return `${event.reason}; next attempt in ${Math.ceil(event.waitMs / 1000)} s`
    case 'download-wait':
      return 'another envs downloads the image: waiting'
  }
}

/** Notes that a cached image was used because its publisher did not answer. */
export function describeFallback(
  image: {readonly name: string; readonly version: string; readonly fetchedAt: Date},
  {reason, now}: {reason: string; now: Date},
): string {
  const {name, version, fetchedAt} = image
  return `${reason} Used the kept image ${name} ${version}, fetched ${formatRelativeTime(fetchedAt, now)}; there may be a newer one.`
}

export function describeNotice(notice: LookupNotice): string {
  switch (notice.kind) {
    case 'registry-unreachable':
      return `${notice.reason} Used the kept image ${notice.name}, fetched on ${notice.fetchedAt.toISOString()}; there may be a newer one.`
    case 'clock-behind':
      return `${notice.listing} was signed at ${notice.signedAt.toISOString()}, after the time of this host (${notice.now.toISOString()}): its clock is behind.`
    case 'pocket-missing':
      return `${notice.mirror} has no ${notice.suite}: packages are installed without it.`
    case 'release-expired':
      return `${notice.suite} at ${notice.mirror} expired on ${notice.validUntil.toISOString()}: it was used anyway.`
    case 'release-from-cache':
      return `${notice.mirror} did not answer (${notice.reason}): used its ${notice.suite} of ${notice.date.toISOString()}.`
    case 'source-unreachable':
      return `${notice.source} did not answer: ${notice.reason}`
  }
}

/** A notice about the tree of a new environment. */
type TreeNote = {readonly kind: 'minimized'} | {readonly kind: 'archived'; readonly codename: string}

export function describeTreeNote(note: TreeNote, name: string): string {
  switch (note.kind) {
    case 'minimized':
      return `The image leaves out manual pages, translations and more. To install them: envs run ${name} unminimize`
    case 'archived':
      return `Ubuntu keeps ${note.codename} among its old releases: packages are installed from there, and get no security updates.`
  }
}

/** Warns that the store exceeds the setting diskBudget. */
export function describeOverBudget({
  usedBytes,
  budgetBytes,
}: {
  readonly usedBytes: number
  readonly budgetBytes: number
}): string {
  return `envs uses ${formatBytes(usedBytes)} of disk space, more than the diskBudget of ${formatBytes(budgetBytes)}. To free space: envs prune --dry-run`
}

/** Describes an item that `envs prune` removes. */
export function describePrunable({
  kind,
  name,
  count,
}: {
  readonly kind:
    | 'removed'
    | 'try'
    | 'snapshots'
    | 'leftover'
    | 'image-tree'
    | 'image-layers'
    | 'image'
    | 'packages'
  readonly name: string | null
  readonly count: number
}): string {
  const many = (one: string, more = `${one}s`) => (count === 1 ? `1 ${one}` : `${count} ${more}`)
  switch (kind) {
    case 'removed':
    case 'try':
      return `environment ${name}`
    case 'snapshots':
      return `${many('snapshot')} of ${name}`
    case 'leftover':
      return many('folder')
    case 'image-tree':
      return `unpacked image ${name}`
    case 'image-layers':
      return many('layer of images', 'layers of images')
    case 'image':
      return `image ${name}`
    case 'packages':
      return many('shared package')
  }
}

type KeptSpace = {
  readonly younger: readonly (Parameters<typeof describePrunable>[0] & {readonly sizeBytes: number})[]
  readonly environments: {readonly count: number; readonly sizeBytes: number}
}

/** Describes the disk space that `envs prune` does not free, and how to free it, in lines. */
export function describeKeptSpace({younger, environments}: KeptSpace): string[] {
  const youngerBytes = younger.reduce((sum, {sizeBytes}) => sum + sizeBytes, 0)
  const items = younger.map(describePrunable)
  const [shown, more] = [items.slice(0, MOST_ITEMS).join(', '), items.length - MOST_ITEMS]
  const rest = more > 0 ? ` and ${more} more` : ''
  const {count, sizeBytes} = environments
  const subject = count === 1 ? 'The environment takes' : `The ${count} environments take`
  return [
    ...(youngerBytes === 0
      ? []
      : [
          `Too young: ${shown}${rest}, ${formatBytes(youngerBytes)}. To remove them too: envs prune --older-than 0`,
        ]),
    ...(count === 0
      ? []
      : [
          `${subject} ${formatBytes(sizeBytes)}, with snapshots. See them: envs list. Remove one: envs rm NAME`,
        ]),
  ]
}

const MOST_ITEMS = 4

type SnapshotKind = 'manual' | 'automatic' | 'replaced' | 'initial' | 'cloned' | 'project'

/** Describes the kind of a snapshot for a list. */
export function describeSnapshotKind(kind: SnapshotKind): string {
  switch (kind) {
    case 'manual':
      return 'made by hand'
    case 'automatic':
      return 'before a start or an install'
    case 'replaced':
      return 'state that was replaced'
    case 'initial':
      return 'as it was created'
    case 'cloned':
      return 'as it was cloned'
    case 'project':
      return 'layer of envs up'
  }
}

/** Describes the state that an environment went back or forward to. */
export function describeRestored(
  {name, label, createdAt}: {readonly name: string; readonly label: string; readonly createdAt: Date},
  now: Date,
): string {
  return `${name} is restored to ${label}, made ${formatRelativeTime(createdAt, now)}.`
}

/** Describes the snapshot of the replaced state after restore, undo or reset. */
export function describeReplacedState({
  name,
  kept,
  isKeptNew,
}: {
  readonly name: string
  readonly kept: string
  readonly isKeptNew: boolean
}): string {
  return isKeptNew
    ? `The replaced state is kept as snapshot ${kept}: envs restore ${name} ${kept}`
    : `The replaced state is snapshot ${kept}.`
}

/** A shim, and its environment. */
type ShimName = {readonly name: string; readonly environment: string}

/** Warns of shims of a removed environment; undefined if there are none. */
export function describeStaleShims(shims: readonly ShimName[]): string | undefined {
  const environment = shims[0]?.environment
  if (environment === undefined) return undefined
  const names = shims.map(({name}) => name).join(', ')
  return `Shims still lead to ${environment}: ${names}. Remove them: envs shim ${environment} --remove`
}

/** Describes the wait for other commands that use an environment. */
export function describeWait(name: string, waitMs: number): string {
  return `Waiting for commands that use the environment "${name}", at most ${formatDuration(waitMs / 1000)} (--wait).`
}

/** A removed environment that can be recovered. */
type Recoverable = {readonly name: string; readonly keptUntil: Date}

/** Reports a removal, and how to recover the environment; `kept` is undefined where its files were deleted. */
export function describeRemoval(name: string, kept: Recoverable | undefined): string {
  return kept === undefined
    ? `Removed ${name}.`
    : `Removed ${name}. To get it back, until ${formatLocalTime(kept.keptUntil)}: envs recover ${name}`
}

/** Warns that a removal freed no space where that matters; undefined where there is enough. */
export function describeSpaceTaken(
  {name, sizeBytes}: {readonly name: string; readonly sizeBytes: number},
  {freeBytes, maxBytes}: {readonly freeBytes: number; readonly maxBytes: number},
): string | undefined {
  if (sizeBytes <= Math.min(freeBytes, maxBytes)) return undefined
  return `${name} still takes ${formatBytes(sizeBytes)}. To free the space now: envs rm --now ${name}`
}

/** Reports that earlier removals became final. */
export function describeDeleted(names: readonly string[]): string {
  return `Deleted for good, because the setting trashSize allows no more: ${names.join(', ')}.`
}

/** Reports the space that removed environments take. */
export function describeTrash(count: number, sizeBytes: number): string {
  const many = count === 1 ? '1 removed environment takes' : `${count} removed environments take`
  return `${many} ${formatBytes(sizeBytes)} and can still be recovered. To delete them as well: envs prune --removed`
}
