// Test rig: a medium changer (SMC) below the real mtx, without a kernel device. LD_PRELOADed, it answers SG_IO on a plain file.
// Not a model of any product: faults and habits of changers are switches in the environment.
// SGSHIM_STATE file of elements (below), SGSHIM_LOG log of CDBs, SGSHIM_NOTAG no barcodes, SGSHIM_ALLONLY no type-specific
// status, SGSHIM_MAX elements a status, SGSHIM_NOSRC forgets sources, SGSHIM_FAIL=key/asc/ascq fails every move.
// LD_PRELOAD shim: fakes an SMC medium changer behind a plain file for mtx(1).  State: one line per element in $SGSHIM_STATE
// line: type addr full src invert tag   (type 1 MT,2 ST,3 IE,4 DT)
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdint.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <scsi/sg.h>
typedef struct {int type,addr,full,src,inv; char tag[40];} El;
static El e[4096]; static int n;
static void load(void){FILE*f=fopen(getenv("SGSHIM_STATE"),"r");n=0;char l[200];while(f&&fgets(l,200,f)){El*x=&e[n];x->tag[0]=0;if(sscanf(l,"%d %d %d %d %d %36s",&x->type,&x->addr,&x->full,&x->src,&x->inv,x->tag)>=5)n++;}if(f)fclose(f);}
static void save(void){FILE*f=fopen(getenv("SGSHIM_STATE"),"w");for(int i=0;i<n;i++)fprintf(f,"%d %d %d %d %d %s\n",e[i].type,e[i].addr,e[i].full,e[i].src,e[i].inv,e[i].tag);fclose(f);}
static int sense(struct sg_io_hdr*h,int k,int a,int q){unsigned char*s=h->sbp;memset(s,0,h->mx_sb_len);s[0]=0x70;s[2]=k;s[7]=10;s[12]=a;s[13]=q;h->sb_len_wr=18;h->status=2;h->masked_status=1;h->driver_status=8;h->info=1;return 0;}
static int cnt(int t,int*first){int c=0;for(int i=0;i<n;i++)if(e[i].type==t){if(!c)*first=e[i].addr;c++;}return c;}
static El*find(int a){for(int i=0;i<n;i++)if(e[i].addr==a)return&e[i];return 0;}
static void p2(unsigned char*b,int v){b[0]=v>>8;b[1]=v;}
static int sgio(struct sg_io_hdr*h){
  unsigned char*c=h->cmdp,*d=h->dxferp;int L=h->dxfer_len; load();
  h->status=h->masked_status=h->host_status=h->driver_status=h->sb_len_wr=0;h->info=0;h->resid=0;
  if(getenv("SGSHIM_LOG")){FILE*f=fopen(getenv("SGSHIM_LOG"),"a");fprintf(f,"CDB");for(int i=0;i<h->cmd_len;i++)fprintf(f," %02x",c[i]);fprintf(f,"  len=%d timeout=%ums\n",L,h->timeout);fclose(f);}
  switch(c[0]){
  case 0x12:{memset(d,0,L);unsigned char q[56]={8,0x80,2,2,51};memcpy(q+8,"SONY    VAIOChanger1    1.00",28);memcpy(d,q,L<56?L:56);return 0;}
  case 0x1a:{unsigned char m[24]={23,0,0,0,0x1d,18};int f=0,k;k=cnt(1,&f);p2(m+6,f);p2(m+8,k);f=0;k=cnt(2,&f);p2(m+10,f);p2(m+12,k);f=0;k=cnt(3,&f);p2(m+14,f);p2(m+16,k);f=0;k=cnt(4,&f);p2(m+18,f);p2(m+20,k);memset(d,0,L);memcpy(d,m,L<24?L:24);return 0;}
  case 0xb8:{int vt=c[1]&0x10,t=c[1]&15,st=c[2]<<8|c[3],num=c[4]<<8|c[5];
    if(vt&&getenv("SGSHIM_NOTAG"))return sense(h,5,0x24,0);
    if(t&&getenv("SGSHIM_ALLONLY"))return sense(h,5,0x24,0);
    static unsigned char b[400000];memset(b,0,8);int o=8,tot=0,dl=vt?52:16,max=getenv("SGSHIM_MAX")?atoi(getenv("SGSHIM_MAX")):65535;int first=-1;
    if(!t){int idx[4096],m=0;for(int i=0;i<n;i++)idx[m++]=i;for(int a=0;a<m;a++)for(int bb=a+1;bb<m;bb++)if(e[idx[bb]].addr<e[idx[a]].addr){int z=idx[a];idx[a]=idx[bb];idx[bb]=z;}int ph=-1,cur=0;for(int q=0;q<m&&tot<num&&tot<max;q++){El*x=&e[idx[q]];if(x->addr<st)continue;if(x->type!=cur){ph=o;o+=8;memset(b+ph,0,8);b[ph]=x->type;b[ph+1]=vt?0x80:0;p2(b+ph+2,dl);cur=x->type;}unsigned char*y=b+o;memset(y,0,dl);p2(y,x->addr);y[2]=x->full|(x->type!=1?8:0)|(x->type==3?0x30:0);if(x->src>=0){y[9]=0x80|(x->inv?0x40:0);p2(y+10,x->src);}if(first<0)first=x->addr;o+=dl;tot++;int bl=o-ph-8;b[ph+5]=bl>>16;b[ph+6]=bl>>8;b[ph+7]=bl;}}
    for(int T=1;t&&T<=4;T++){if(t&&t!=T)continue;int ph=o,k=0;o+=8;for(int i=0;i<n&&tot<num&&tot<max;i++){El*x=&e[i];if(x->type!=T||x->addr<st)continue;unsigned char*y=b+o;memset(y,0,dl);p2(y,x->addr);y[2]=x->full|(T!=1?8:0)|(T==3?0x30:0);if(x->src>=0){y[9]=0x80|(x->inv?0x40:0);p2(y+10,x->src);}
        if(vt){memset(y+12,' ',32);if(x->tag[0]&&strcmp(x->tag,"-"))memcpy(y+12,x->tag,strlen(x->tag));else memset(y+12,0,32);}
        if(first<0)first=x->addr;o+=dl;k++;tot++;}
      if(!k){o=ph;continue;}unsigned char*P=b+ph;memset(P,0,8);P[0]=T;P[1]=vt?0x80:0;p2(P+2,dl);int bl=k*dl;P[5]=bl>>16;P[6]=bl>>8;P[7]=bl;}
    if(!tot)return sense(h,5,0x21,1);
    p2(b,first);p2(b+2,tot);int bl=o-8;b[5]=bl>>16;b[6]=bl>>8;b[7]=bl;memset(d,0,L);memcpy(d,b,L<o?L:o);return 0;}
  case 0xa5:{int s=c[4]<<8|c[5],t=c[6]<<8|c[7];El*S=find(s),*D=find(t);if(!S||!D)return sense(h,5,0x21,1);if(!S->full)return sense(h,5,0x3b,0x0e);if(D->full)return sense(h,5,0x3b,0x0d);
    if(getenv("SGSHIM_FAIL")){int k,a,q;sscanf(getenv("SGSHIM_FAIL"),"%x/%x/%x",&k,&a,&q);return sense(h,k,a,q);}
    D->full=1;S->full=0;D->src=(S->type==2||S->type==3)?S->addr:S->src; if(getenv("SGSHIM_NOSRC"))D->src=-1; D->inv=S->inv^(c[10]&1);strcpy(D->tag,S->tag);strcpy(S->tag,"-");S->src=-1;save();return 0;}
  default:return sense(h,5,0x20,0);}
}
int ioctl(int fd,unsigned long r,...){va_list a;va_start(a,r);void*p=va_arg(a,void*);va_end(a);
  static int(*real)(int,unsigned long,...);if(!real)real=dlsym(RTLD_NEXT,"ioctl");
  if(r==SG_GET_VERSION_NUM){*(int*)p=30536;return 0;} if(r==SG_IO)return sgio(p);
  if(r==0x2201){return 0;} if(r==SG_GET_SCSI_ID||r==0x5382){memset(p,0,8);return 0;}
  return real(fd,r,p);}
