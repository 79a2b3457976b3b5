import assert from 'node:assert/strict'
import {readdir, rm} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {givenVictim, SYSTEM} from '../../support/refused-archive.js'

const DAY_MS = 86_400_000
const ago = (days: number) => new Date(Date.now() - days * DAY_MS)

test('a signed Release that is older than one that was seen at the mirror is refused', async (t) => {
  const {archive, plan, refuses} = await givenVictim(t)
  await plan()
  await archive.publish('release', {packages: SYSTEM, date: ago(1)})
  await refuses(
    'ENVS_RELEASE_DOWNGRADED',
    /^The Release of trixie at .* is dated .*, older than the one of .* seen before\.$/,
  )
})

test('it is refused when the cache was deleted, too', async (t) => {
  const {archive, context, plan, refuses} = await givenVictim(t)
  await plan()
  await rm(context.paths.cache, {recursive: true})
  await archive.publish('security', {packages: [], date: ago(1)})
  await refuses('ENVS_RELEASE_DOWNGRADED', /^The Release of trixie-security/)
})

test('an old one that a cache on the way gives once is asked for again', async (t) => {
  const {archive, plan} = await givenVictim(t)
  const newest = archive.files.get('debian/dists/trixie/InRelease')
  await plan()
  await archive.publish('release', {packages: SYSTEM, date: ago(1)})
  const old = archive.files.get('debian/dists/trixie/InRelease')
  archive.files.set('debian/dists/trixie/InRelease', newest ?? Buffer.alloc(0))
  archive.answerNext('debian/dists/trixie/InRelease', (_, response) => response.end(old))
  assert.equal((await plan()).packages.length, 2)
})

test('a newer one is taken, and remembered in place of the older', async (t) => {
  const {archive, context, plan, refuses} = await givenVictim(t)
  await archive.publish('release', {packages: SYSTEM, date: ago(2)})
  await plan()
  await archive.publish('release', {packages: SYSTEM, date: ago(1)})
  await plan()
  const seen = join(context.paths.data, 'archive/seen')
  const folder = (await readdir(seen)).find(
    (name) => name.includes('_debian_trixie-') && !name.includes('updates'),
  )
  assert.equal((await readdir(join(seen, folder ?? ''))).length, 1)
  await archive.publish('release', {packages: SYSTEM, date: ago(2)})
  await refuses('ENVS_RELEASE_DOWNGRADED', /^The Release of trixie at/)
})

test('one that was never accepted sets nothing', async (t) => {
  const {archive, plan, refuses} = await givenVictim(t)
  await archive.publish('release', {packages: SYSTEM, date: ago(1), release: {Codename: 'forky'}})
  await refuses('ENVS_RELEASE_WRONG_SUITE', /forky/)
  await archive.publish('release', {packages: SYSTEM, date: ago(2)})
  assert.equal((await plan()).packages.length, 2)
})
