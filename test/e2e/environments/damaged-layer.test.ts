import assert from 'node:assert/strict'
import {readdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {environmentCli} from '../../support/environment-cli.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {creation, done} from '../../support/store-at-rest.js'

for (const damage of ['', '{"sha256": "'] as const) {
  test(`what stands on a layer whose record is damaged can be used: ${JSON.stringify(damage)}`, async (t) => {
    const cli = await environmentCli(t)
    const create = await creation(t, 'play')
    await done(cli, ...create)
    const layers = join(cli.data, 'layers')
    const [id = ''] = (await readdir(layers, {recursive: true})).filter((path) =>
      path.endsWith('/layer.json'),
    )
    const record = join(layers, id)
    const before = JSON.parse(await readFile(record, 'utf8'))
    await writeFile(record, damage)
    for (const argv of [
      ['list', '--all'],
      ['show', 'play'],
      ['reset', 'play'],
      ['prune', '--dry-run'],
    ])
      await done(cli, ...argv)
    assert.equal((await cli.run('diff', 'play', '--json')).status, 3)

    await done(cli, ...create.map((word) => (word === 'play' ? 'other' : word)))
    assert.deepEqual(JSON.parse(await readFile(record, 'utf8')), before)
    await done(cli, 'diff', 'play')
  })
}
