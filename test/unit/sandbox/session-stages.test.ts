import assert from 'node:assert/strict'
import {test} from 'node:test'
import {templatePath, templateText} from '../../../src/host/paths.js'
import {capture} from '../../../src/host/process.js'

/** What a program says it gave up at: the first argument of the functions that tell it. */
async function stagesOf(program: string): Promise<string[]> {
  const text = await templateText(`host/${program}`)
  const told = text.matchAll(/\b(?:give_up|unknown|fail)\(\s*["']([a-z-]+)|"failed (exec)/g)
  return [...new Set([...told].map(([, stage, exec]) => stage ?? exec ?? ''))].sort()
}

test('the launchers in Perl and in Python name the same stages', async () => {
  const [perl, python] = await Promise.all([stagesOf('session.pl'), stagesOf('session.py')])
  assert.ok(perl.length > 15, perl.join())
  // The one thing that can be missing of Python itself.
  assert.deepEqual(
    python.filter((stage) => stage !== 'ctypes'),
    perl,
  )
})

for (const program of ['session.py', 'map-ids.py', 'signal-all.py']) {
  test(`${program} is Python 3.6, and compiles without a warning`, async () => {
    const check =
      'import ast, sys; compile(ast.parse(sys.stdin.read(), feature_version=(3, 6)), sys.argv[1], "exec")'
    const {status, stderr} = await capture(['python3', '-I', '-W', 'error', '-c', check, program], {
      input: await templateText(`host/${program}`),
    })
    assert.deepEqual([status, stderr], [0, ''])
  })
}

test('map-ids.pl compiles without a warning', async () => {
  const path = templatePath('host/map-ids.pl')
  assert.equal((await capture(['perl', '-c', path])).stderr, `${path} syntax OK\n`)
})
