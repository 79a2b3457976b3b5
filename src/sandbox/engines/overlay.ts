import {dirname, relative} from 'node:path'
import type {Identity} from '../identity.js'
import type {Mount} from '../mounts.js'
import {mountOptions} from './bwrap.js'

export type TrialFolders = {
  /** Holds the files `kept` and `gone`, and a file in the folder `inner`. */
  readonly lower: string
  readonly upper: string
  readonly work: string
  /** An empty folder. */
  readonly merged: string
}

type Trial = {
  readonly bwrap: string
  readonly identity: Identity
  /** Words that make the user namespace, where bwrap does not. */
  readonly prefix: readonly string[]
  readonly folders: TrialFolders
}

/** What packages do to a tree: change a file of a lower layer, remove one, replace a folder by one of the same name. */
const SCRIPT =
  'cd "$1" && echo more >>kept && rm gone && rm -r inner && mkdir inner && ! [ -e gone ] && ! [ -e inner/file ]'

/** A command line that ends with 0 where bwrap can stack layers as an environment needs them. */
export function overlayTrial({bwrap, identity, prefix, folders}: Trial): string[] {
  const {lower, upper, work, merged} = folders
  const user = identity === 'mapped' ? [] : ['--unshare-user', '--uid', '0', '--gid', '0', '--cap-add', 'ALL']
  return [
    ...[...prefix, bwrap, ...user, '--ro-bind', '/', '/'],
    ...mountOptions({kind: 'overlay', lowers: [lower], upper, work, at: merged}),
    ...['--', '/bin/sh', '-c', SCRIPT, 'sh', merged],
  ]
}

/** The same for layers that are stacked before an engine is started. @param trial.prefix - Makes the user namespace. */
export function layersFirstTrial({
  prefix,
  folders: {merged, lower, ...layers},
  ...tools
}: Omit<Trial, 'bwrap' | 'identity'> & {readonly unshare: string; readonly mount: string}): string[] {
  return [
    ...[...prefix, ...layersFirst({...layers, lowers: [lower]}, {...tools, at: merged})],
    ...['/bin/sh', '-c', SCRIPT, 'sh', merged],
  ]
}

type Layers = Pick<Extract<Mount, {kind: 'overlay'}>, 'lowers' | 'upper' | 'work'>

/**
 * What overlayfs is told of layers, with names relative to a folder that they lie below: mount(2) takes a page for all.
 *
 * @see the kernel's Documentation/filesystems/overlayfs.rst: userxattr, because trusted.* attributes are not for user
 *   namespaces
 */
export function overlayOptions({lowers, upper, work}: Layers): {folder: string; options: string} {
  const folder = dirname(dirname(upper))
  const name = (path: string) => {
    const short = relative(folder, path)
    // Only of what lies below: what is above depends on links on the way.
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
 * Words before a program that sees layers as one tree, in a mount namespace of its own: for a bubblewrap that can't stack
 * them, which is the case before 0.11. They need the rights of root in a user namespace.
 *
 * @param tools.at - A folder of the host that the tree is mounted on.
 * @see mount(8), LIBMOUNT_FORCE_MOUNT2: fsconfig(2) takes no option over 256 bytes
 */
export function layersFirst(
  layers: Layers,
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
