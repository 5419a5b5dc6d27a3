import { X } from 'lucide-react';
import { Dialog } from 'radix-ui';

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  description: React.ReactNode;
  children: React.ReactNode;
}

/** A dialog: focus is held in it and given back, Escape closes it. */
export function Modal({ open, onOpenChange, title, description, children }: Props) {
  return (
    <Dialog.Root open={open} onOpenChange={onOpenChange}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-black/55" />
        <Dialog.Content
          className="fixed top-[12vh] left-1/2 z-50 max-h-[80vh] w-[min(480px,calc(100vw-24px))] -translate-x-1/2 overflow-auto rounded-panel bg-panel p-4.5 outline-none"
          style={{ boxShadow: 'var(--pop)' }}
        >
          <div className="flex items-start gap-3">
            <Dialog.Title className="text-[15px] font-semibold tracking-tight">{title}</Dialog.Title>
            <Dialog.Close className="button button-ghost button-icon -mt-1 -mr-1.5 ml-auto" aria-label="Close">
              <X size={15} />
            </Dialog.Close>
          </div>
          <Dialog.Description asChild>
            <div className="mt-1 mb-3.5 text-fg2">{description}</div>
          </Dialog.Description>
          {children}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
