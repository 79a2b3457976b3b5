import type {TreeView} from './fixes/tree-view.js'

type MachineFiles = {
  /** Relative to the root. */
  readonly folder: string
  readonly name: RegExp
  /** For links: their target. */
  readonly target?: string
  /** The program by which templates/rootfs/renew-keys makes new ones; without it, none are made. */
  readonly maker?: string
}

/**
 * Files that authenticate or name a machine, which packages make at their installation. Machines must not
 * share them: images and exports do not contain them, and a new environment, a clone and an import get new
 * ones at their first start.
 *
 * Machine ids are not listed: the fix `machine-id` writes them.
 *
 * @see docs/decisions/0033-keys-of-each-environment.md
 */
const MACHINE_FILES: readonly MachineFiles[] = [
  {folder: 'etc/ssh', name: /^ssh_host_(?:[\w-]+_)?key(?:\.pub)?$/, maker: 'usr/sbin/sshd'},
  {folder: 'etc/dropbear', name: /^dropbear_[\w-]+_host_key(?:\.pub)?$/, maker: 'usr/bin/dropbearkey'},
  {folder: 'etc/ssl/private', name: /^ssl-cert-snakeoil\.key$/, maker: 'usr/sbin/make-ssl-cert'},
  {folder: 'etc/ssl/certs', name: /^ssl-cert-snakeoil\.pem$/},
  // Made by c_rehash(1): the hash of its subject, which contains the hostname.
  {folder: 'etc/ssl/certs', name: /^[0-9a-f]{8}\.\d+$/, target: 'ssl-cert-snakeoil.pem'},
  {folder: 'etc/bind', name: /^rndc\.key$/, maker: 'usr/sbin/rndc-confgen'},
  // systemd writes it at each shutdown.
  {folder: 'var/lib/systemd', name: /^random-seed$/},
]

/** Makes new keys at the first start, and then removes itself. */
export const RENEWAL_PROGRAM = 'usr/lib/envs/renew-keys'

/** Returns the paths of all such files in a tree, with links on the way resolved. */
export function findMachineFiles(tree: TreeView): string[] {
  return MACHINE_FILES.flatMap(({folder, name, target}) => {
    const real = tree.realFolder(folder)
    if (real === undefined) return []
    return tree
      .list(real)
      .filter((each) => name.test(each))
      .map((each) => `${real}/${each}`)
      .filter((path) => isMachineFile(tree, path, target))
  })
}

function isMachineFile(tree: TreeView, path: string, target: string | undefined): boolean {
  if (target !== undefined) return tree.linkTarget(path) === target
  const kind = tree.kindOf(path)
  return kind === 'file' || kind === 'link'
}

/** Returns whether a tree has a package that can make new keys. */
export function canRenewKeys(tree: TreeView): boolean {
  return MACHINE_FILES.some(({maker}) => maker !== undefined && tree.kindOf(maker) !== 'nothing')
}

/** Returns whether a path is one of those, or the program that renews them. @param target - Of a link. */
export function isOfOneMachine(path: string, target: string | undefined): boolean {
  if (path === RENEWAL_PROGRAM) return true
  const slash = path.lastIndexOf('/')
  const [folder, name] = [path.slice(0, slash), path.slice(slash + 1)]
  return MACHINE_FILES.some(
    (files) =>
      files.folder === folder &&
      files.name.test(name) &&
      (files.target === undefined || files.target === target),
  )
}
