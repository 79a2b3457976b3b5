import assert from 'node:assert/strict'
import {test} from 'node:test'
import {isTrace} from '../../../../src/rootfs/export/pack-image.js'

const FILE = {isFolder: false, isEmptyFile: false}
const EMPTY = {isFolder: false, isEmptyFile: true}
const FOLDER = {isFolder: true, isEmptyFile: false}

for (const [path, kind] of [
  ['etc/machine-id', FILE],
  ['etc/resolv.conf', FILE],
  ['tmp/leftover', FOLDER],
  ['run/envs', FOLDER],
  ['run/some.pid', EMPTY],
  ['var/log/dpkg.log', FILE],
  ['var/log/apt/term.log', FILE],
  ['var/lib/dpkg/status-old', FILE],
  ['var/lib/apt/lists/mirror_Packages', FILE],
  ['var/cache/apt/archives/hello_1_amd64.deb', FILE],
  ['var/cache/ldconfig/aux-cache', FILE],
] as const) {
  test(`${path} has no place in an image`, () => assert.equal(isTrace(path, kind), true))
}

for (const [path, kind] of [
  ['tmp', FOLDER],
  ['run/lock', FOLDER],
  ['etc/hosts', FILE],
  ['var/log/btmp', EMPTY],
  ['var/log/apt', FOLDER],
  ['var/lib/dpkg/status', FILE],
  ['var/lib/apt/lists/partial', FOLDER],
  ['usr/share/doc/tmp/file', FILE],
] as const) {
  test(`${path} stays`, () => assert.equal(isTrace(path, kind), false))
}
