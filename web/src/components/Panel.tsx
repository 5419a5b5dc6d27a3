import { useId } from 'react';

interface Props {
  title: React.ReactNode;
  /** Of what and since when: the small print beside the title. */
  caption?: React.ReactNode;
  actions?: React.ReactNode;
  className?: string;
  children: React.ReactNode;
}

export function Panel({ title, caption, actions, className = '', children }: Props) {
  const id = useId();
  return (
    <section className={`panel flex flex-col ${className}`} aria-labelledby={id}>
      <header className="panel-head">
        <h2 id={id}>{title}</h2>
        {caption !== undefined && <span className="cap num min-w-0 truncate">{caption}</span>}
        {actions && <div className="ml-auto flex shrink-0 items-center gap-1.5">{actions}</div>}
      </header>
      {children}
    </section>
  );
}
