import assert from 'node:assert/strict'
import {writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {test} from 'node:test'
import {parseIfValid} from '../../../../src/host/records.js'
import {
  formatEntry,
  type LedgerEntry,
  ledgerEntrySchema,
  openLedger,
  readLedger,
  writeLedger,
} from '../../../../src/rootfs/ledger/ledger.js'
import {treeFolder} from '../../../support/extraction.js'

const ENTRY: LedgerEntry = {path: 'a', kind: 'file', uid: 1, gid: 2, mode: 0o4755, lost: ['owner']}

for (const entry of [
  ENTRY,
  {...ENTRY, path: 'é\xff\x01\n"', capability: 'AQ==', lost: ['owner', 'capability']},
  {...ENTRY, kind: 'device', device: {type: 'block', major: 8, minor: 1}, lost: ['device']},
] as const) {
  test(`an entry of ${entry.kind} ${JSON.stringify(entry.path)} comes back as it was`, () => {
    assert.deepEqual(parseIfValid(formatEntry(entry), ledgerEntrySchema), entry)
  })
}

test('losses are counted by kind', () => {
  const ledger = openLedger()
  ledger.note(ENTRY)
  ledger.note({...ENTRY, path: 'b', lost: ['owner', 'capability']})
  ledger.note({...ENTRY, path: 'c', lost: ['device']})
  ledger.forget('a')
  assert.deepEqual(ledger.counts(), {owners: 1, capabilities: 1, devices: 1, dropped: 0})
})

test('long paths fill a ledger before many do', () => {
  const ledger = openLedger()
  for (let index = 0; index < 5000; index++) ledger.note({...ENTRY, path: `${index}`.padStart(4000, 'x')})
  assert.deepEqual(ledger.counts(), {owners: 4032, capabilities: 0, devices: 0, dropped: 968})
})

test('a ledger that is not there is empty', async (t) => {
  assert.deepEqual(readLedger(join(await treeFolder(t), 'none')), {entries: [], dropped: 0})
})

test('a written ledger is read back', async (t) => {
  const path = join(await treeFolder(t), 'ledger')
  const ledger = openLedger()
  ledger.note(ENTRY)
  writeLedger(path, ledger)
  assert.deepEqual(readLedger(path), {entries: [ENTRY], dropped: 0})
})

for (const [what, text, rule] of [
  ['that is empty', '', 'it is not JSON'],
  [
    'of a newer version',
    '{"schemaVersion":2,"dropped":0}\n',
    'a newer envs wrote it: its schemaVersion is 2, and this envs reads up to 1',
  ],
  [
    'with a line that is none',
    `{"schemaVersion":1,"dropped":0}\n${formatEntry(ENTRY)}\n{}\n`,
    'line 3 is not an entry',
  ],
] as const) {
  test(`a ledger ${what} is said to be unreadable`, async (t) => {
    const path = join(await treeFolder(t), 'ledger')
    writeFileSync(path, text)
    assert.throws(() => readLedger(path), {
      code: 'ENVS_BAD_LEDGER',
      exitCode: 8,
      message: `Could not read "${path}", the ledger of owners and capabilities: ${rule}.`,
    })
  })
}
