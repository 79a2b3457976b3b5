import * as v from 'valibot'
import {settingResult} from '../config/results.js'
import {hostReportResult} from '../doctor/results.js'
import {autostartResult, startResult} from '../environments/boot/results.js'
import {differenceResult, fileChangeResult, packageMoveResult} from '../environments/diff-results.js'
import {
  environmentReportResult,
  fetchedToolResult,
  repairResult,
  storeCheckResult,
} from '../environments/doctor/results.js'
import {auditResult, exposureResult} from '../environments/exposure/results.js'
import {fileCopyResult} from '../environments/files/results.js'
import {matrixResult} from '../environments/matrix/results.js'
import {
  commonNetworkListResult,
  commonNetworkResult,
  connectResult,
  networkRemovalResult,
  portListResult,
  publishResult,
} from '../environments/network/results.js'
import {startedProgramResult} from '../environments/programs/results.js'
import {exportResult, pushResult} from '../environments/publish/results.js'
import {
  creationPreviewResult,
  environmentListResult,
  environmentResult,
  environmentSettingsResult,
  installedShimsResult,
  keepResult,
  pathResult,
  processListResult,
  pruneResult,
  recoverResult,
  removalResult,
  removedListResult,
  removedResult,
  renameResult,
  sessionPreviewResult,
  shimResult,
  stopResult,
} from '../environments/results.js'
import {serviceActionResult, serviceListResult, serviceLogResult} from '../environments/services/results.js'
import {restoreResult, snapshotListResult, snapshotResult} from '../environments/snapshots/results.js'
import {described} from '../host/result-fields.js'
import {
  archiveResult,
  imageDetailsResult,
  imageListResult,
  imagePruneResult,
  imageRemovalResult,
  imageSearchResult,
  pulledImageResult,
  signerResult,
} from '../images/results.js'
import {initResult, planListResult, upListResult} from '../project/results.js'

const failureResult = described(
  v.object({
    error: v.object({code: v.string(), message: v.string(), suggestions: v.array(v.string())}),
  }),
  'Any command that fails.',
)

/**
 * Schemas of the --json output by command, in the order of docs/json.md; a flag that changes the output has its
 * own entry.
 */
export const COMMAND_RESULTS = {
  create: environmentResult,
  'create --dry-run': creationPreviewResult,
  import: environmentResult,
  clone: environmentResult,
  cp: fileCopyResult,
  show: environmentResult,
  'show --exposure': exposureResult,
  audit: auditResult,
  list: environmentListResult,
  'list --removed': removedListResult,
  ps: processListResult,
  publish: publishResult,
  ports: portListResult,
  connect: connectResult,
  'network create': commonNetworkResult,
  'network list': commonNetworkListResult,
  'network rm': networkRemovalResult,
  services: serviceListResult,
  'services NAME start': serviceActionResult,
  'services NAME log': serviceLogResult,
  path: pathResult,
  'run --dry-run': sessionPreviewResult,
  'run --detach': startedProgramResult,
  start: startResult,
  restart: startResult,
  stop: stopResult,
  autostart: autostartResult,
  set: environmentSettingsResult,
  matrix: matrixResult,
  up: upListResult,
  plan: planListResult,
  down: removalResult,
  init: initResult,
  rename: renameResult,
  rm: removalResult,
  recover: recoverResult,
  keep: keepResult,
  snapshot: snapshotResult,
  snapshots: snapshotListResult,
  'snapshots --remove': removedResult,
  restore: restoreResult,
  undo: restoreResult,
  redo: restoreResult,
  reset: restoreResult,
  diff: differenceResult,
  export: exportResult,
  push: pushResult,
  prune: pruneResult,
  shim: installedShimsResult,
  'shim --remove': removedResult,
  shims: v.array(shimResult),
  doctor: hostReportResult,
  'doctor NAME': environmentReportResult,
  'doctor --check': storeCheckResult,
  'doctor --repair': repairResult,
  'doctor --fetch': fetchedToolResult,
  completion: v.object({shell: v.string(), script: v.string()}),
  'config get': settingResult,
  'config set': settingResult,
  'config unset': settingResult,
  'config list': v.array(settingResult),
  'image list': imageListResult,
  'image show': imageDetailsResult,
  'image pull': pulledImageResult,
  'image search': imageSearchResult,
  'image prune': imagePruneResult,
  'image rm': imageRemovalResult,
  error: failureResult,
} as const

/** Schemas that several commands share, by their name in docs/json.md. */
export const SHARED_RESULTS = {
  signer: signerResult,
  archive: archiveResult,
  environment: environmentResult,
  exposure: exposureResult,
  restored: restoreResult,
  setting: settingResult,
  shim: shimResult,
  removed: removedResult,
  pulledImage: pulledImageResult,
  fileChange: fileChangeResult,
  packageMove: packageMoveResult,
} as const
