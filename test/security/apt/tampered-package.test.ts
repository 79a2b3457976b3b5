import assert from 'node:assert/strict'
import {readdir} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {downloadPackages} from '../../../src/apt/download.js'
import {pathWith} from '../../support/archive.js'
import {givenVictim} from '../../support/refused-archive.js'

for (const [what, change] of [
  ['as long, and another', (deb: Buffer) => Buffer.alloc(deb.length, 'x')],
  ['longer', (deb: Buffer) => Buffer.concat([deb, Buffer.from('x')])],
  ['shorter', (deb: Buffer) => deb.subarray(0, -1)],
  ['without an end', (deb: Buffer) => Buffer.alloc(deb.length + 10_000_000)],
] as const) {
  test(`a package that is ${what} is refused, and nobody gets it`, async (t) => {
    const {archive, context, plan} = await givenVictim(t)
    const path = pathWith(archive, 'apt_1.0-1')
    archive.files.set(path, change(archive.files.get(path) ?? Buffer.alloc(0)))
    const planned = await plan()
    const [apt] = planned.packages
    const downloads = await downloadPackages(planned, context)
    const names: string[] = []
    const taking = (async () => {
      for await (const {package: each} of downloads) names.push(each.name)
    })()
    await assert.rejects(taking, {
      code: 'ENVS_PACKAGE_MISMATCH',
      exitCode: 6,
      message:
        /pool\/main\/a\/apt\/apt_1\.0-1_amd64\.deb is not the package apt that the signed index lists\.$/,
    })
    await downloads.close()
    assert.ok(!names.includes('apt'))
    assert.ok(!(await readdir(join(context.paths.packages, 'sha256'))).includes(apt?.sha256 ?? ''))
  })
}

test('bytes that follow an answer are not taken for the next one', async (t) => {
  const {archive, context, plan} = await givenVictim(t)
  const planned = await plan()
  for (const {url} of planned.packages) {
    const path = url.pathname.slice(1)
    const body = archive.files.get(path) ?? Buffer.alloc(0)
    archive.answerNext(path, (request) => {
      const answer = (content: Buffer) =>
        Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${content.length}\r\n\r\n`), content])
      request.socket.write(Buffer.concat([answer(body), answer(Buffer.from('planted'))]))
    })
  }
  const downloads = await downloadPackages(planned, context)
  const names: string[] = []
  for await (const {package: each} of downloads) names.push(each.name)
  await downloads.close()
  assert.deepEqual(names.sort(), ['apt', 'base-files'])
})
