import {mountOptions} from './engines/bwrap.js'
import {layersFirst} from './engines/layers-first.js'
import type {Identity} from './ids/identity.js'

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
