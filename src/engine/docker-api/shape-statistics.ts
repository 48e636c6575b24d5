import type { Container, NetworkStatistics, Statistics } from '../runtime/index.ts';
import { ZERO_TIME } from './shape-container.ts';

/** `GET /containers/{id}/stats` (API 1.51); `before` gives the `precpu` part from which clients take the share. */
export function statisticsShape(
  container: Container,
  now: Statistics | undefined,
  before: Statistics | undefined,
): object {
  const common = { name: `/${container.spec.name}`, id: container.id, num_procs: 0, storage_stats: {} };
  if (now === undefined) {
    return { read: ZERO_TIME, preread: ZERO_TIME, pids_stats: {}, ...common, ...emptyParts() };
  }
  return {
    read: now.readAt.toISOString(),
    preread: before?.readAt.toISOString() ?? ZERO_TIME,
    pids_stats: { current: now.pids.current, ...(now.pids.limit > 0 ? { limit: now.pids.limit } : {}) },
    blkio_stats: blockShape(now),
    ...common,
    cpu_stats: cpuShape(now),
    precpu_stats: before === undefined ? emptyCpu() : cpuShape(before),
    memory_stats: memoryShape(now),
    ...networksPart(now.networks),
  };
}

function emptyParts(): object {
  return { blkio_stats: {}, cpu_stats: emptyCpu(), precpu_stats: emptyCpu(), memory_stats: {} };
}

function emptyCpu(): object {
  return {
    cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
    throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
  };
}

function cpuShape({ cpu }: Statistics): object {
  return {
    cpu_usage: { total_usage: cpu.totalNs, usage_in_kernelmode: cpu.systemNs, usage_in_usermode: cpu.userNs },
    system_cpu_usage: cpu.hostNs,
    online_cpus: cpu.onlineCpus,
    throttling_data: {
      periods: cpu.periods,
      throttled_periods: cpu.throttledPeriods,
      throttled_time: cpu.throttledNs,
    },
  };
}

/** Clients take `total_inactive_file` (version 1) or `inactive_file` (version 2) off the usage. */
function memoryShape({ memory, cgroupVersion }: Statistics): object {
  const inactive = cgroupVersion === 1 ? 'total_inactive_file' : 'inactive_file';
  return {
    usage: memory.usageBytes,
    ...(memory.maxUsageBytes > 0 ? { max_usage: memory.maxUsageBytes } : {}),
    stats: { ...memory.statistics, [inactive]: memory.inactiveFileBytes },
    limit: memory.limitBytes,
  };
}

function blockShape({ io }: Statistics): object {
  return {
    io_service_bytes_recursive: [
      { major: 0, minor: 0, op: 'read', value: io.readBytes },
      { major: 0, minor: 0, op: 'write', value: io.writtenBytes },
    ],
    io_serviced_recursive: null,
    io_queue_recursive: null,
    io_service_time_recursive: null,
    io_wait_time_recursive: null,
    io_merged_recursive: null,
    io_time_recursive: null,
    sectors_recursive: null,
  };
}

function networksPart(networks: Readonly<Record<string, NetworkStatistics>>): object {
  const entries = Object.entries(networks);
  if (entries.length === 0) return {};
  return { networks: Object.fromEntries(entries.map(([name, counters]) => [name, networkShape(counters)])) };
}

function networkShape(counters: NetworkStatistics): object {
  return {
    rx_bytes: counters.receivedBytes,
    rx_packets: counters.receivedPackets,
    rx_errors: counters.receiveErrors,
    rx_dropped: counters.receiveDropped,
    tx_bytes: counters.sentBytes,
    tx_packets: counters.sentPackets,
    tx_errors: counters.sendErrors,
    tx_dropped: counters.sendDropped,
  };
}
