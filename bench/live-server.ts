import { startBackend } from '../test/support/backend.ts';

/** The slow part of the application of `endurance`, in its container behind nginx: event streams, echoed WebSockets. */
await startBackend(process.env['VERSION'] ?? 'none', '127.0.0.1', 8001);
