import {basename} from 'node:path'
import type {FetchedPackage} from '../archive/download-packages.js'
import {templateText} from '../host/paths.js'
import {openTreeView} from '../rootfs/fixes/tree-view.js'
import {RESOLVER_MOUNT_POINT} from '../sandbox/mounts.js'

type Wish = {
  /** Seconds since 1970: for what would else write down the time. @see https://reproducible-builds.org/specs/source-date-epoch/ */
  readonly epoch: number
  readonly root: string
  /** Packages that were not unpacked yet. */
  readonly others: readonly FetchedPackage[]
}

const INFO = 'var/lib/dpkg/info'
const PREINST = '.preinst'
/** What dpkg's files of a package are called; nothing of it means anything to a shell. */
const NAME = /^[a-z0-9][a-z0-9+.-]*(?::[a-z0-9-]+)?$/
/** These make accounts and links that the others need. */
const FIRST = ['base-passwd', 'base-files']

/** The text of templates/guest/configure-packages.sh with what it is to do, for the tree in `root`. */
export async function configureScript({epoch, root, others}: Wish): Promise<string> {
  const debs = others.map(({path}) => `${RESOLVER_MOUNT_POINT}/${basename(path)}`)
  return [
    `epoch=${epoch}`,
    `preinst='${preinstsIn(root).join(' ')}'`,
    `debs='${debs.join(' ')}'`,
    await templateText('guest/configure-packages.sh'),
  ].join('\n')
}

function preinstsIn(root: string): string[] {
  const names = openTreeView(root, {mostNames: 100_000})
    .list(INFO)
    .filter((file) => file.endsWith(PREINST))
    .map((file) => file.slice(0, -PREINST.length))
    .filter((name) => NAME.test(name))
  const rank = (name: string) => (FIRST.indexOf(name) + FIRST.length + 1) % (FIRST.length + 1)
  return names.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
}

/** What the script tells of itself: a hostile guest's word. */
export type ConfigureLine =
  | {readonly kind: 'installed'; readonly name: string}
  | {readonly kind: 'end'; readonly isWell: boolean}

/** @see dpkg(1), "--status-fd". */
export function readConfigureLine(line: string): ConfigureLine | undefined {
  const status = /^end (?<status>\d+)$/.exec(line)?.groups?.['status']
  if (status !== undefined) return {kind: 'end', isWell: status === '0'}
  const name = /^status: (?<name>[a-z0-9][a-z0-9+.-]*)(?::[a-z0-9-]+)?: installed$/.exec(line)?.groups?.[
    'name'
  ]
  return name === undefined ? undefined : {kind: 'installed', name}
}
