import {dirname, relative} from 'node:path'
import type {Identity} from '../identity.js'
import type {Mount} from '../mounts.js'
import {mountOptions} from './bwrap.js'

/** Folders of a trial mount, with test files in the lower one. */
export type TrialFolders = {
  /** Holds the files `kept` and `gone`, and a file in the folder `inner`. */
  readonly lower: string
  readonly upper: string
  readonly work: string
  /** An empty folder. */
  readonly merged: string
}

type OverlayTrial = {
  readonly bwrap: string
  readonly identity: Identity
  /** Argv prefix that makes the user namespace; empty when bwrap makes it. */
  readonly prefix: readonly string[]
  readonly folders: TrialFolders
}

/** Makes the changes that packages make: changes and removes a file of a lower layer, and replaces a folder. */
const SCRIPT =
  'cd "$1" && echo more >>kept && rm gone && rm -r inner && mkdir inner && ! [ -e gone ] && ! [ -e inner/file ]'

/** Returns an argv that exits with 0 when bwrap can mount layers as environments need them. */
export function overlayTrial({bwrap, identity, prefix, folders}: OverlayTrial): string[] {
  const {lower, upper, work, merged} = folders
  const user = identity === 'mapped' ? [] : ['--unshare-user', '--uid', '0', '--gid', '0', '--cap-add', 'ALL']
  return [
    ...[...prefix, bwrap, ...user, '--ro-bind', '/', '/'],
    ...mountOptions({kind: 'overlay', lowers: [lower], upper, work, at: merged}),
    ...['--', '/bin/sh', '-c', SCRIPT, 'sh', merged],
  ]
}

/** As {@link overlayTrial}, for layers that are mounted before the engine starts. @param trial.prefix - Makes the user namespace. */
export function layersFirstTrial({
  prefix,
  folders: {merged, lower, ...layers},
  ...tools
}: Omit<OverlayTrial, 'bwrap' | 'identity'> & {readonly unshare: string; readonly mount: string}): string[] {
  return [
    ...[...prefix, ...layersFirst({...layers, lowers: [lower]}, {...tools, at: merged})],
    ...['/bin/sh', '-c', SCRIPT, 'sh', merged],
  ]
}

type OverlayLayers = Pick<Extract<Mount, {kind: 'overlay'}>, 'lowers' | 'upper' | 'work'>

/**
 * Returns the mount options of overlayfs, with paths relative to a common folder: mount(2) limits all options to a page.
 *
 * @see the kernel's Documentation/filesystems/overlayfs.rst: userxattr, because trusted.* attributes are not for user
 *   namespaces
 */
export function overlayOptions({lowers, upper, work}: OverlayLayers): {folder: string; options: string} {
  const folder = dirname(dirname(upper))
  const name = (path: string) => {
    const short = relative(folder, path)
    // Shorten only paths below the folder: `..` depends on symlinks in the path.
    return short.startsWith('..') ? path : short
  }
  const options = [
    `lowerdir=${[...lowers].reverse().map(name).join(':')}`,
    `upperdir=${name(upper)}`,
    `workdir=${name(work)}`,
    'userxattr',
  ]
  return {folder, options: options.join(',')}
}

/**
 * Returns an argv prefix for a program that sees layers as one tree in its own mount namespace: for bubblewrap before 0.11,
 * which has no --overlay. The prefix needs root of a user namespace.
 *
 * @param tools.at - A folder of the host: the mount point of the tree.
 * @see mount(8), LIBMOUNT_FORCE_MOUNT2: fsconfig(2) takes no option over 256 bytes
 */
export function layersFirst(
  layers: OverlayLayers,
  {unshare, mount, at}: {unshare: string; mount: string; at: string},
): string[] {
  const {folder, options} = overlayOptions(layers)
  return [
    ...[unshare, '--mount', '--propagation', 'slave', '--', '/bin/sh', '-c', MOUNT_AND_RUN],
    ...[mount, folder, options, at],
  ]
}

const MOUNT_AND_RUN =
  'cd "$1" && LIBMOUNT_FORCE_MOUNT2=always "$0" -t overlay -o "$2" overlay "$3" && cd / && shift 3 && exec "$@"'
