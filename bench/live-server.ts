import { startBackend } from '../test/support/backend.ts';

/** The application of `endurance`, in a container: its version, event streams, echoed WebSockets. */
await startBackend(process.env['VERSION'] ?? 'none', '0.0.0.0', 8000);
