import { z } from 'zod';

const login = z
  .strictObject({
    username: z.string().optional(),
    password: z.string().optional(),
    identitytoken: z.string().optional(),
    registrytoken: z.string().optional(),
    serveraddress: z.string().optional(),
  })
  .describe("As Docker's `X-Registry-Auth`. Without it the logins that the engine finds by itself.");

export const PushBodySchema = z.strictObject({
  reference: z.string().describe('For example `registry.example.org/team/app:1`'),
  login: login.optional(),
});

export const PullBodySchema = PushBodySchema.extend({
  platform: z.string().optional().describe('`os/architecture[/variant]`; that of this machine when absent'),
});

export const LoginBodySchema = z.strictObject({
  registry: z.string().describe('For example `docker.io`, `registry.example.org:5000`'),
  username: z.string(),
  password: z.string(),
});

export type PullBody = z.input<typeof PullBodySchema>;
export type PushBody = z.input<typeof PushBodySchema>;
export type LoginBody = z.input<typeof LoginBodySchema>;
