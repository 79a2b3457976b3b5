import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {join} from 'node:path'
import {test} from 'node:test'
import {DEB822_SOURCES, OLD_RELEASES, ONE_LINE_SOURCES, textOf} from '../../support/apt-tree.js'
import {plainCli} from '../../support/environment-cli.js'
import {tarArchive, tarMember} from '../../support/tar-archive.js'

const LIST = 'etc/apt/sources.list'
const STANZAS = 'etc/apt/sources.list.d/ubuntu.sources'

function archive(files: Readonly<Record<string, string>>): Buffer {
  return tarArchive(
    ...Object.entries({'usr/bin/env': '', ...files}).map(([name, data]) => tarMember({data, name})),
  )
}

test('create tells how to have what a minimized image left out, and where packages of an old release are', async (t) => {
  const cli = await plainCli(t)
  const input = archive({[LIST]: ONE_LINE_SOURCES, 'usr/local/sbin/unminimize': ''})
  const run = await cli.runWith({input}, 'create', '-', '--name', 'play')
  assert.equal(run.status, 0)
  assert.deepEqual(
    run.stderr.split('\n').filter((line) => /old releases|unminimize/.test(line)),
    [
      'Ubuntu keeps kinetic among its old releases: packages are installed from there, and get no security updates.',
      'The image leaves out manual pages, translations and more. To install them: envs run play unminimize',
    ],
  )
  assert.match(
    textOf(cli.root('play'), LIST),
    new RegExp(`^deb ${OLD_RELEASES}/ kinetic main restricted$`, 'm'),
  )
})

test('create writes the mirrors that are set into the sources of APT, and rename leaves them', async (t) => {
  const cli = await plainCli(t)
  const input = archive({
    [STANZAS]: DEB822_SOURCES.replaceAll('mantic', 'noble'),
    [LIST]: 'deb http://ftp.debian.org/debian trixie main\n',
    'etc/cloud/cloud.cfg': '',
  })
  const env = {
    ENVS_MIRROR_UBUNTU_ARCHIVE: 'https://mirror.example/ubuntu/',
    ENVS_MIRROR_DEBIAN_ARCHIVE: 'https://mirror.example/debian',
  }
  assert.equal((await cli.runWith({input, env}, 'create', '-', '--name', 'play')).status, 0)
  assert.equal((await cli.run('rename', 'play', 'other')).status, 0)
  const root = cli.root('other')
  assert.deepEqual(textOf(root, STANZAS).match(/^URIs: .*$/gm), [
    'URIs: https://mirror.example/ubuntu/',
    'URIs: https://mirror.example/ubuntu/',
  ])
  assert.equal(textOf(root, LIST), 'deb https://mirror.example/debian trixie main\n')
  assert.ok(existsSync(join(root, 'etc/cloud/cloud-init.disabled')))
})

test('a mirror that is no URL is refused before anything is made', async (t) => {
  const cli = await plainCli(t)
  const env = {ENVS_MIRROR_UBUNTU_ARCHIVE: 'mirror.example'}
  const run = await cli.runWith({input: archive({}), env}, 'create', '-', '--name', 'play')
  assert.equal(run.status, 2)
  assert.match(run.stderr, /ENVS_MIRROR_UBUNTU_ARCHIVE/)
  assert.deepEqual(await cli.storeEntries(), [])
})
