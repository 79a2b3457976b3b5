import {type DebArchitecture, namedArchitecture, runsAsItIs} from '../../host/arch.js'
import type {DownloadEvent} from '../../host/http/attempt.js'
import {formatBytes, formatDuration, formatRelativeTime} from '../format.js'

/** What an identity means to the person who uses it, in one line. */
export function describeIdentity(identity: 'mapped' | 'emulated'): string {
  switch (identity) {
    case 'mapped':
      return 'mapped: users of the environment have ids of your subordinate range'
    case 'emulated':
      return 'emulated: every file is yours; changes of owner or user appear to succeed'
  }
}

/** What processor the programs of an environment are for, and how this host runs them. */
export function describeArchitecture(architecture: string, host: DebArchitecture): string {
  const known = namedArchitecture(architecture)
  return known === undefined || runsAsItIs(host, known)
    ? architecture
    : `${architecture}: QEMU runs its programs, many times slower`
}

/** How the files of an environment are kept, in one line. */
export function describeStorage(storage: 'overlay' | 'directory'): string {
  switch (storage) {
    case 'overlay':
      return 'overlay: its own changes, over files that it shares'
    case 'directory':
      return 'directory: all files are its own'
  }
}

/** What starts environments, and what is lost by it, in one line. */
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

/** What an environment is not kept from, in one line. */
export function describeIsolationGap(gap: 'host-files' | 'own-mounts'): string {
  switch (gap) {
    case 'own-mounts':
      return 'this host forbids a second user namespace: root inside can uncover parts of /sys and mount your control groups'
    case 'host-files':
      return 'proot does not isolate: programs inside can read and change all your files'
  }
}

/** What root should know of an environment of its own; docs/decisions/0011. */
export const RUN_BY_ROOT =
  'envs is meant for ordinary users: an environment that root creates runs with uid 0 of the host.'

/** That files were given to nobody: their owners are no ids of the environment. */
export function describeSquashedOwners({count, ids}: {count: number; ids: readonly number[]}): string {
  const files = count === 1 ? '1 file belongs' : `${count} files belong`
  return `${files} to ids that your subordinate range does not reach (${ids.join(', ')}), and to nobody (65534) here. Programs that run as one of these ids cannot write there; a longer range in /etc/subuid and /etc/subgid gives them to new environments.`
}

/** Where the rest of the image is told of; undefined when nothing that is missed is lacking. */
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

/** What a copy with another identity may lack. */
export function describeConversion(identity: 'mapped' | 'emulated', name: string): string {
  switch (identity) {
    case 'mapped':
      return `Owners are those of the image and of dpkg's overrides. Later changes of owners by packages are lost. To repeat them: envs run ${name} apt-get install --reinstall PACKAGE`
    case 'emulated':
      return `Its files have one owner now. See their original owners: envs doctor ${name}`
  }
}

/** What an exported archive says of itself; the texts are its own, a word each. */
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
  return `The archive says that it is ${name}, made${from} on ${createdAt.toISOString().slice(0, 10)}, ${identity}, exported by envs ${envs}.`
}

/** What vouches for an image. */
export function describeTrust(trust: 'signed' | 'digest' | 'unverified'): string {
  switch (trust) {
    case 'signed':
      return 'its digest is in a listing that its publisher signed'
    case 'digest':
      return 'it has the requested digest'
    case 'unverified':
      return 'unverified: no digest was given'
  }
}

/**
 * How far a download is: `12 MB of 26 MB, 3.1 MB/s, 5 s left`.
 *
 * @param bytesPerSecond - Its pace; undefined while that can't be told.
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

/** That a kept image was taken because its publisher could not be asked. */
export function describeFallback(
  image: {readonly name: string; readonly version: string; readonly fetchedAt: Date},
  {reason, now}: {reason: string; now: Date},
): string {
  const {name, version, fetchedAt} = image
  return `${reason} Used the kept image ${name} ${version}, fetched ${formatRelativeTime(fetchedAt, now)}; there may be a newer one.`
}

/** What may come up while an image is looked for. */
export type ImageNotice =
  | {readonly kind: 'clock-behind'; readonly listing: string; readonly signedAt: Date; readonly now: Date}
  | {readonly kind: 'source-unreachable'; readonly source: string; readonly reason: string}
  | {readonly kind: 'pocket-missing'; readonly suite: string; readonly mirror: string}
  | {
      readonly kind: 'release-expired'
      readonly suite: string
      readonly mirror: string
      readonly validUntil: Date
    }
  | {
      readonly kind: 'release-from-cache'
      readonly suite: string
      readonly mirror: string
      readonly date: Date
      readonly reason: string
    }

export function describeNotice(notice: ImageNotice): string {
  switch (notice.kind) {
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

/** What is worth telling of an environment's tree when it is new. */
type TreeNote = {readonly kind: 'minimized'} | {readonly kind: 'archived'; readonly codename: string}

export function describeTreeNote(note: TreeNote, name: string): string {
  switch (note.kind) {
    case 'minimized':
      return `The image leaves out manual pages, translations and more. To install them: envs run ${name} unminimize`
    case 'archived':
      return `Ubuntu keeps ${note.codename} among its old releases: packages are installed from there, and get no security updates.`
  }
}

/** That the store is larger than the setting diskBudget wants it. */
export function describeOverBudget({
  usedBytes,
  budgetBytes,
}: {
  readonly usedBytes: number
  readonly budgetBytes: number
}): string {
  return `all of envs takes ${formatBytes(usedBytes)} on the disk, more than the ${formatBytes(budgetBytes)} of diskBudget. To free space: envs prune --dry-run`
}

/** What `envs prune` removes, in a few words. */
export function describePrunable({
  kind,
  name,
  count,
}: {
  readonly kind: 'try' | 'snapshots' | 'leftover' | 'image-tree' | 'image' | 'packages'
  readonly name: string | null
  readonly count: number
}): string {
  const many = (one: string, more = `${one}s`) => (count === 1 ? `1 ${one}` : `${count} ${more}`)
  switch (kind) {
    case 'try':
      return `environment ${name}`
    case 'snapshots':
      return `${many('snapshot')} of ${name}`
    case 'leftover':
      return many('folder')
    case 'image-tree':
      return `unpacked image ${name}`
    case 'image':
      return `image ${name}`
    case 'packages':
      return many('shared package')
  }
}

type SnapshotKind = 'manual' | 'automatic' | 'replaced' | 'initial' | 'cloned'

/** What a snapshot is, for the person who looks at a list of them. */
export function describeSnapshotKind(kind: SnapshotKind): string {
  switch (kind) {
    case 'manual':
      return 'made by hand'
    case 'automatic':
      return 'before a start or an install'
    case 'replaced':
      return 'what going back replaced'
    case 'initial':
      return 'as it was created'
    case 'cloned':
      return 'as it was cloned'
  }
}

/** What became of the state that going back replaced. */
export function describeKept({
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

/** A shim, as far as it is told of. */
type Named = {readonly name: string; readonly environment: string}

/** What a user is told whose shims lead to an environment that is not there any more; undefined without such shims. */
export function describeLeftShims(shims: readonly Named[]): string | undefined {
  const environment = shims[0]?.environment
  if (environment === undefined) return undefined
  const names = shims.map(({name}) => name).join(', ')
  return `Shims still lead to ${environment}: ${names}. Remove them: envs shim ${environment} --remove`
}
