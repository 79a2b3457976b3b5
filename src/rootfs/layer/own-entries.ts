import {sha256Of} from '../../host/digest.js'
import {isAsWritten, type OwnFile} from '../diff/packages.js'
import {DBUS_MACHINE_ID, MACHINE_ID, RESOLVER_TARGET} from '../export/export.js'
import {isOfOneMachine} from '../machine-files.js'
import {POLICY_DIGESTS, POLICY_PROGRAM} from '../service-policy.js'

/**
 * The source of a layer:
 * - `image`: the layer of an image, a whole tree that no environment has written to.
 * - `changes`: an upper layer.
 * - `whole`: the tree of an environment, in one.
 */
export type LayerKind = 'image' | 'changes' | 'whole'

/** The personal files of an environment, as envs has written them into its first upper layer, and folders for them. */
export type PersonalFiles = {
  readonly files: readonly OwnFile[]
  readonly folders: readonly {readonly path: string; readonly mode: number}[]
}

/** An entry of a tree, as a rule sees it. */
export type SeenEntry = {
  /** Byte string (latin1) relative to the root. */
  readonly path: string
  readonly kind: 'file' | 'folder' | 'link' | 'other'
  readonly sizeBytes: number
  /** Of a link: a byte string. */
  readonly target: string | undefined
  /** Returns the content of a file. */
  read(): Buffer
}

/** The treatment of an entry; `emptied` is a file without content. */
export type Treatment = 'kept' | 'left-out' | 'emptied'

/** Folders and files that only envs makes, with all in them. */
const OWN = [
  /^usr\/lib\/envs(?:\/|$)/,
  /^run\/(?:envs(?:\/|$)|\.containerenv$)/,
  /^etc\/apt\/apt\.conf\.d\/9\denvs(?:-[a-z-]+)?$/,
  /^etc\/dpkg\/dpkg\.cfg\.d\/envs-[a-z-]+$/,
  /^etc\/needrestart\/conf\.d\/90envs\.conf$/,
]

/** Larger files are not those of envs. */
const MOST_OWN_BYTES = 64 * 1024

/** Returns the rules by which a layer has nothing of envs' own, and nothing that authenticates or names the machine. */
export function openOwnEntries(kind: LayerKind, personal: PersonalFiles): (entry: SeenEntry) => Treatment {
  const written = new Map(personal.files.map((file) => [file.path, file]))

  return (entry) => {
    const {path, target} = entry
    if (OWN.some((own) => own.test(path)) || isOfOneMachine(path, target)) return 'left-out'
    if (entry.kind === 'link') return target === RESOLVER_TARGET ? 'emptied' : 'kept'
    if (entry.kind !== 'file') return 'kept'
    if (path === DBUS_MACHINE_ID) return 'left-out'
    if (path === MACHINE_ID) return kind === 'changes' && isPersonal(entry) ? 'left-out' : 'emptied'
    if (path === 'etc/cloud/cloud-init.disabled' && entry.sizeBytes === 0) return 'left-out'
    return isPersonal(entry) || isPolicy(entry) ? 'left-out' : 'kept'
  }

  function isPersonal(entry: SeenEntry): boolean {
    const file = written.get(entry.path)
    return file !== undefined && entry.sizeBytes <= MOST_OWN_BYTES && isAsWritten(entry.read(), file)
  }
}

function isPolicy({path, sizeBytes, read}: SeenEntry): boolean {
  return path === POLICY_PROGRAM && sizeBytes <= MOST_OWN_BYTES && POLICY_DIGESTS.includes(sha256Of(read()))
}
