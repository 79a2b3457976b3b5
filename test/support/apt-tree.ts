import {mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {capture} from '../../src/host/process.js'
import {which} from './extraction.js'

export const OLD_RELEASES = 'http://old-releases.ubuntu.com/ubuntu'

/** As Ubuntu's images up to 23.04 have it. */
export const ONE_LINE_SOURCES = `# See http://help.ubuntu.com/community/UpgradeNotes
deb http://archive.ubuntu.com/ubuntu/ kinetic main restricted
# deb-src http://archive.ubuntu.com/ubuntu/ kinetic main restricted
deb [arch=amd64] http://archive.ubuntu.com/ubuntu/ kinetic-updates main restricted
deb http://security.ubuntu.com/ubuntu/ kinetic-security main restricted
`

/** As Ubuntu's images have it since. */
export const DEB822_SOURCES = `# See apt(8)
Types: deb
URIs: http://archive.ubuntu.com/ubuntu/
Suites: mantic mantic-updates mantic-backports
Components: main universe restricted multiverse
Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg

Types: deb
URIs: http://security.ubuntu.com/ubuntu/
Suites: mantic-security
Components: main universe restricted multiverse
Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg
`

export function plant(root: string, path: string, content: string | Buffer, mode = 0o644): void {
  mkdirSync(join(root, dirname(path)), {recursive: true})
  writeFileSync(join(root, path), content, {mode})
}

export function textOf(root: string, path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

export const whyNoApt = which('apt-get') === undefined ? 'no apt-get here' : false

/** Where APT itself would look for the suites that a tree's sources name: `URI/dists/SUITE`, sorted. */
export async function whereAptLooks(root: string): Promise<string[]> {
  plant(root, 'var/lib/apt/lists/partial/.keep', '')
  const options = [
    `Dir::Etc::sourcelist=${join(root, 'etc/apt/sources.list')}`,
    `Dir::Etc::sourceparts=${join(root, 'etc/apt/sources.list.d')}`,
    `Dir::State=${join(root, 'var/lib/apt')}`,
    `Dir::Cache=${join(root, 'var/cache/apt')}`,
  ]
  const run = await capture([
    'apt-get',
    'update',
    '--print-uris',
    ...options.flatMap((option) => ['-o', option]),
  ])
  if (run.status !== 0) throw new Error(run.stderr)
  return [...run.stdout.matchAll(/^'(?<folder>\S+)\/InRelease'/gm)]
    .map(({groups}) => groups?.['folder'] ?? '')
    .sort()
}
