import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {packageRoot} from '../../../src/host/paths.js'
import {declaredCommands} from '../../support/commands.js'

test('each command of envs on the page for users of other tools exists, and has the flags there', async () => {
  const page = await readFile(join(packageRoot(), 'docs/coming-from.md'), 'utf8')
  const commands = await declaredCommands()
  const lines = [...page.matchAll(/`envs ([^`]+)`/g)].map(([, line = '']) => line.split(' '))
  assert.ok(lines.length > 50)
  for (const [first = '', second = '', ...rest] of lines) {
    const isTopic = commands.has(`${first} ${second}`)
    const command = commands.get(isTopic ? `${first} ${second}` : first)
    const typed = ['envs', first, second, ...rest].join(' ')
    assert.ok(command !== undefined, typed)
    const own = (isTopic ? rest : [second, ...rest]).join(' ').replace(/ -- .*$/, '')
    const flags = [...own.matchAll(/(?<=^|\s)--([a-z0-9-]+)/g)].map(([, name = '']) => name)
    const known = new Set(Object.keys({...command.flags, ...command.baseFlags}))
    if (command.enableJsonFlag) known.add('json')
    for (const flag of flags) assert.ok(known.has(flag), `${typed}: --${flag}`)
  }
})
