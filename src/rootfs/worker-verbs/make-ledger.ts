import {openHost} from '../../host/host.js'
import {explainErrno} from '../errors.js'
import {readLedger, writeLedger} from '../ledger/file.js'
import {recordOwners} from '../ledger/record-owners.js'
import {restoreOwners} from '../ledger/restore.js'
import {openCapabilitySetter} from '../tree/file-capability.js'
import {openOwners} from '../tree/owners.js'
import type {LedgerRequest} from '../worker-request.js'

/** Makes the journal for a copy of a tree; the verb says which of the two trees to read. */
export function makeLedger({verb, root, from, to}: LedgerRequest): unknown {
  try {
    const former = readLedger(from)
    if (verb === 'record-owners') {
      const ledger = recordOwners(root, former)
      writeLedger(to, ledger)
      return ledger.counts()
    }
    const setCapability = openCapabilitySetter('keep', openHost())
    const {report, ledger} = restoreOwners(root, former, {owners: openOwners('keep'), setCapability})
    writeLedger(to, ledger)
    return report
  } catch (error) {
    throw explainErrno(error, root)
  }
}
