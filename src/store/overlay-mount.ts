import type {LayerId} from './layers.js'

/** Layers by name, `lowers` from the bottom upwards. */
export type LayerStack = {readonly lowers: readonly LayerId[]; readonly upper: LayerId}

type OverlayMountOptions = {
  /** The folder of all layers. */
  readonly layers: string
  /** The mount point of the layers; a folder. */
  readonly root: string
  /** Absolute paths of unshare(1) and mount(8). */
  readonly unshare: string
  readonly mount: string
}

/** Separators in the options of mount(8) and overlayfs; a store whose path contains one is not supported. */
const SPLIT_AT = /[,:\\"]/

/** Returns whether a store at this path can have overlay storage. */
export function canBeMounted(path: string): boolean {
  return !SPLIT_AT.test(path)
}

/**
 * Returns a prefix for the argv of a program that sees the layers as one tree at `root`, in a new mount
 * namespace; it needs root of a user namespace.
 *
 * Uses names relative to the folder of layers, and mount(2): fsconfig(2), which mount(8) prefers since 2.39,
 * limits each option to 256 bytes, and mount(2) all together to a page.
 *
 * @see mount(8), LIBMOUNT_FORCE_MOUNT2; the kernel's Documentation/filesystems/overlayfs.rst: userxattr,
 * because trusted.* attributes are not available in user namespaces
 */
export function layeredMount({lowers, upper}: LayerStack, tools: OverlayMountOptions): string[] {
  const options = [
    `lowerdir=${[...lowers]
      .reverse()
      .map((id) => `${id}/tree`)
      .join(':')}`,
    `upperdir=${upper}/tree`,
    `workdir=${upper}/work`,
    'userxattr',
  ].join(',')
  return [
    ...[tools.unshare, '--mount', '--propagation', 'private', '--', '/bin/sh', '-c', MOUNT_AND_RUN],
    ...[tools.mount, tools.layers, options, tools.root],
  ]
}

const MOUNT_AND_RUN =
  'cd "$1" && LIBMOUNT_FORCE_MOUNT2=always "$0" -t overlay -o "$2" overlay "$3" && cd / && shift 3 && exec "$@"'
