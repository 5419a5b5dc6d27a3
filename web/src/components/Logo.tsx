export function Logo() {
  return (
    <span className="grid size-6 place-items-center rounded-small bg-fg text-bg" aria-hidden="true">
      <svg width="16" height="16" viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="2.4" strokeLinecap="round" strokeLinejoin="round">
        <path d="M3 12.5h4l2.2-6 4.4 12 2.6-6H21" />
      </svg>
    </span>
  );
}
