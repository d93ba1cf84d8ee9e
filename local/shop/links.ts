/** The navigation between the pages of this machine: the shop, the sandbox, the console, the Web UI. */
import { workflowListPage } from '../../domain/pages.ts';
import type { Link } from '../web/page.ts';
import type { Places } from './order-page.ts';

const CHECKOUTS = 'WorkflowType="checkout"';

export function linksOf({ apiUrl, temporalUi }: Places): readonly Link[] {
  const workflows = temporalUi === null ? null : workflowListPage(temporalUi, CHECKOUTS);
  return [
    { href: '/shop', text: 'Shop' },
    { href: '/inbox', text: 'Inbox' },
    { href: '/', text: 'Sandbox' },
    { href: `${apiUrl}/console`, text: 'Console' },
    ...(workflows === null ? [] : [{ href: workflows, text: 'Web UI' }]),
  ];
}
